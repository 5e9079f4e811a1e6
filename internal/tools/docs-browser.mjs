// Opens the rendered contract in a headless Chromium and fails when the page asks anybody but this server for anything, throws, or
// does not show the contract. It speaks the DevTools protocol over the browser's own pipe. Where there is no Chromium, npm fetches one.
//
//   node internal/tools/docs-browser.mjs http://127.0.0.1:8080 [screenshot.png]
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const base = new URL(process.argv[2]).origin;
const names = [process.env.CHROMIUM, 'chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const browser = names.find((name) => name && spawnSync(name, ['--version']).status === 0) ?? (await fetched());

async function fetched() {
  console.log('docs-browser: no Chromium on this machine; npm fetches one (65 MB)');
  const dir = new URL('browser/', import.meta.url);
  const npm = spawnSync('npm', ['ci', '--ignore-scripts', '--loglevel=error'], { cwd: dir, stdio: 'inherit' });
  if (npm.status !== 0) {
    console.error('docs-browser: that failed; repair: install Chromium (Debian: apt install chromium), or set CHROMIUM to the path of one');
    process.exit(1);
  }
  process.env.AWS_EXECUTION_ENV = 'AWS_Lambda_nodejs22.x'; // makes the package bring the shared libraries as well
  const { default: chromium } = await import(new URL('node_modules/@sparticuz/chromium/build/esm/index.js', dir).href);
  return chromium.executablePath(); // unpacked to the folder of temporary files
}

const profile = mkdtempSync(join(tmpdir(), 'grapevine-docs-'));
const chromium = spawn(
  browser,
  ['--headless', '--window-size=1400,1000', '--no-sandbox', '--disable-gpu', '--no-first-run', '--remote-debugging-pipe', `--user-data-dir=${profile}`],
  { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
);
const gone = new Promise((resolve) => chromium.on('exit', resolve));
const [, , , toBrowser, fromBrowser] = chromium.stdio;

const waiting = new Map();
const requests = [];
const faults = [];
let id = 0;
let sessionId;

function send(method, params = {}) {
  toBrowser.write(`${JSON.stringify({ id: ++id, method, params, sessionId })}\0`);
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

function receive({ id, result, error, method, params }) {
  if (id) {
    const { resolve, reject } = waiting.get(id);
    if (error) reject(new Error(error.message));
    else resolve(result);
  }
  if (method === 'Network.requestWillBeSent') requests.push(params.request.url);
  if (method === 'Runtime.exceptionThrown') faults.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
  if (method === 'Log.entryAdded' && params.entry.level === 'error') faults.push(`${params.entry.text} ${params.entry.url ?? ''}`);
}

let rest = '';
fromBrowser.setEncoding('utf8').on('data', (chunk) => {
  const messages = (rest + chunk).split('\0');
  rest = messages.pop();
  for (const message of messages) receive(JSON.parse(message));
});

async function visit(path, shows) {
  await send('Page.navigate', { url: base + path });
  const expression = `(() => { const text = document.body?.innerText ?? ''; return ${JSON.stringify(shows)}.filter((s) => !text.includes(s)); })()`;
  let missing = shows;
  for (const end = Date.now() + 30_000; missing.length > 0 && Date.now() < end; ) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    missing = (await send('Runtime.evaluate', { expression, returnByValue: true })).result.value ?? shows;
  }
  if (missing.length > 0) faults.push(`${path} does not show: ${missing.join(', ')}`);
}

try {
  const contract = await (await fetch(`${base}/openapi.json`)).json();
  const first = Object.values(Object.values(contract.paths)[0])[0];
  const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
  ({ sessionId } = await send('Target.attachToTarget', { targetId, flatten: true }));
  for (const domain of ['Network', 'Page', 'Runtime', 'Log']) await send(`${domain}.enable`);

  const began = Date.now();
  await visit('/docs', [contract.info.title, ...contract.tags.map((tag) => tag.name), first.summary]);
  const took = Date.now() - began;
  // Late requests (fonts, telemetry) come after the page is drawn.
  await new Promise((resolve) => setTimeout(resolve, 2000));
  if (process.argv[3]) writeFileSync(process.argv[3], Buffer.from((await send('Page.captureScreenshot')).data, 'base64'));
  await visit('/docs/problems', ['malformed_request', 'outcome_unknown']);

  const elsewhere = requests.filter((url) => !url.startsWith(`${base}/`) && !url.startsWith('data:'));
  faults.push(...elsewhere.map((url) => `a request to elsewhere: ${url}`));
  console.log(`docs-browser: drawn after ${took} ms; ${requests.length} requests, ${elsewhere.length} of them to elsewhere`);
} catch (error) {
  faults.push(String(error));
} finally {
  chromium.kill();
  await gone;
  try {
    rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  } catch (left) {
    console.log(`docs-browser: the browser still wrote to its profile: ${left.message}`); // what was checked stands
  }
}
for (const fault of faults) console.error(`docs-browser: ${fault}`);
process.exit(faults.length > 0 ? 1 : 0);
