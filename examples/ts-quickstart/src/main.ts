// Quickstart of the TypeScript client: Alice refers Bob, Bob buys, both earn, and a refund takes its part back.
//
// GRAPEVINE_URL says where the server answers, GRAPEVINE_API_KEY is the secret key of a test workspace.
import { createGrapevineClient, paginate, ProblemError } from '@grapevine-referrals/sdk';

const grapevine = createGrapevineClient({
  baseUrl: process.env.GRAPEVINE_URL ?? 'http://127.0.0.1:8080',
  apiKey: process.env.GRAPEVINE_API_KEY ?? '',
});

// Names of this run, so that it can be repeated in one workspace. Yours are the identifiers of your own system.
const run = crypto.randomUUID().slice(0, 8);
const [alice, bob, order] = [`alice-${run}`, `bob-${run}`, `order-${run}`];

// 20 percent for the referrer and 10 USD of credit for the referee, both on hold for two weeks.
const twoWeeks = 14 * 24 * 60 * 60;
const { data: program } = await grapevine.createProgram({
  body: {
    name: 'Friends of Acme',
    currency: 'USD',
    landing_url: 'https://www.acme.example/welcome',
    rules: {
      qualification: { minimum_amount: 2000 },
      rewards: [
        {
          key: 'referrer_share',
          triggers: ['purchase'],
          beneficiary: 'referrer',
          kind: 'money',
          amount: { type: 'basis_points', value: 2000 },
          hold_seconds: twoWeeks,
        },
        {
          key: 'welcome_credit',
          triggers: ['qualified'],
          beneficiary: 'referee',
          kind: 'credit',
          amount: { type: 'fixed', value: 1000 },
          hold_seconds: twoWeeks,
        },
      ],
    },
  },
});
await grapevine.activateProgram({ path: { program_id: program.id } });

// A referrer, and what she shares.
await grapevine.upsertParticipant({ query: { external_id: alice }, body: { display_name: 'Alice' } });
const { data: code } = await grapevine.createCode({ body: { program_id: program.id, participant_external_id: alice } });
console.log(`Alice shares ${code.link}`);

// Bob's browser follows the link. Your landing page keeps gv_click until Bob signs up. A robot's click would never win.
const visit = await fetch(code.link, {
  redirect: 'manual',
  headers: { 'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' },
});
const click = new URL(visit.headers.get('Location') ?? '').searchParams.get('gv_click');

// Bob signs up. A signup is never refused because of its referral: the answer says who gets him, or why nobody does.
const { data: signup } = await grapevine.createSignup({
  body: { program_id: program.id, referee_external_id: bob, external_id: `signup-${run}`, click_ids: click ? [click] : [] },
});
if (!signup.attributed) throw new Error(`nobody gets Bob: ${signup.reason}`);
console.log(`Bob joined and belongs to Alice: ${signup.reason}`);

// Bob buys. The key is made of the order, so that sending it again, even after a crash, never counts it twice.
const { data: purchase } = await grapevine.recordConversion({
  headers: { 'Idempotency-Key': order },
  body: { program_id: program.id, referee_external_id: bob, external_id: order, type: 'purchase', amount: 9999, currency: 'USD' },
});
for (const reward of purchase.rewards) {
  console.log(`${reward.rule_key}: ${reward.granted} cents for the ${reward.beneficiary}, ${reward.state} until ${reward.available_at}`);
}

// A third is refunded, and a third of Alice's share goes with it. Every amount can be asked why.
await grapevine.reverseConversion({
  path: { conversion_id: purchase.conversion.id },
  body: { external_id: `refund-${run}`, kind: 'refund', amount: 3333, currency: 'USD' },
});
for await (const reward of paginate(grapevine.listRewards, { query: { conversion_id: purchase.conversion.id } })) {
  const { data: why } = await grapevine.explainReward({ path: { reward_id: reward.id } });
  console.log(`${reward.rule_key}: ${reward.net} cents are left. ${why.summary}`);
}

// More than is left cannot be refunded. The code of a problem says which one it is; the detail is for people.
try {
  await grapevine.reverseConversion({
    path: { conversion_id: purchase.conversion.id },
    body: { external_id: `too-much-${run}`, kind: 'refund', amount: 9999, currency: 'USD' },
  });
  throw new Error('more than is left was refunded');
} catch (error) {
  if (!(error instanceof ProblemError) || error.code !== 'reversal_exceeds_conversion') throw error;
  console.log(`refused: ${error.code} (${error.problem.detail})`);
}
