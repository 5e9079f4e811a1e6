/**
 * The client of Grapevine.
 *
 * ```ts
 * const grapevine = createGrapevineClient({ apiKey, baseUrl: 'https://referrals.example.com' });
 * const { data: program } = await grapevine.createProgram({ body: { name: 'Friends', ... } });
 * for await (const code of paginate(grapevine.listCodes, { query: { program_id: program.id } })) { ... }
 * ```
 *
 * Every operation of the contract is a method of the same name. It resolves to the answer's `data` and the raw `response` (for
 * headers such as ETag), and throws a `ProblemError` for an answer that is a problem. A POST gets an Idempotency-Key of its own
 * unless you give one, and requests that the server did not take are repeated, so that work is never done twice.
 *
 * The bare functions are exported too; they return `{ data, error }`, repeat nothing and want every header from you.
 */
import { createClient, createConfig } from './generated/client/index.js';
import * as operations from './generated/sdk.gen.js';
import type { Problem } from './generated/types.gen.js';
import { retryingFetch } from './retry.js';
import { ProblemError } from './problem.js';

export * from './generated/index.js';
export { createClient, createConfig, type Client } from './generated/client/index.js';
export { ProblemError } from './problem.js';
export { paginate } from './paginate.js';

export interface GrapevineOptions {
  /** A secret key for a server; a publishable key in a browser. */
  apiKey: string;
  /** Where Grapevine answers, without a trailing slash. */
  baseUrl: string;
  /** How often a request that was not taken is repeated, besides the first time. Default 3; 0 turns repeating off. */
  maxRetries?: number;
  /** Another fetch, for tests or a proxy. */
  fetch?: typeof fetch;
}

type Operations = typeof operations;

// The generated type mixes the operation's own headers with every way to give headers; only the named ones are kept.
type Named<H> = { [K in keyof H as string extends K ? never : K]: H[K] };
// A POST may leave its Idempotency-Key to us; other required headers (If-Match) stay required.
type WithoutKey<H> = Omit<H, 'Idempotency-Key'> & { 'Idempotency-Key'?: string };
type Relaxed<O> = O extends { headers: infer H }
  ? Omit<O, 'headers'> & HeadersOf<WithoutKey<Named<Extract<H, Record<string, unknown>>>>>
  : O;
type HeadersOf<H> = {} extends H ? { headers?: H } : { headers: H };
type Given<Op extends (...args: never[]) => unknown> = Relaxed<
  Pick<NonNullable<Parameters<Op>[0]>, Extract<keyof NonNullable<Parameters<Op>[0]>, 'body' | 'headers' | 'path' | 'query' | 'signal'>>
>;
type Answer<Op extends (...args: never[]) => unknown> = {
  data: NonNullable<Extract<Awaited<ReturnType<Op>>, { data: unknown }>['data']>;
  response: Response;
};

/** Every operation of the contract as a method. */
export type GrapevineClient = {
  [Name in keyof Operations]: Operations[Name] extends (...args: never[]) => unknown
    ? {} extends Given<Operations[Name]>
      ? (options?: Given<Operations[Name]>) => Promise<Answer<Operations[Name]>>
      : (options: Given<Operations[Name]>) => Promise<Answer<Operations[Name]>>
    : never;
};

export function createGrapevineClient(options: GrapevineOptions): GrapevineClient {
  const client = createClient(
    createConfig({
      auth: options.apiKey,
      baseUrl: options.baseUrl.replace(/\/+$/, ''),
      fetch: retryingFetch(options.fetch ?? globalThis.fetch, options.maxRetries ?? 3),
    }),
  );
  client.interceptors.error.use((error, response) =>
    response && isProblem(error) ? new ProblemError(error, response) : error,
  );
  const bound = Object.entries(operations).map(([name, operation]) => [
    name,
    (given?: object) => (operation as (o: object) => unknown)({ ...given, client, throwOnError: true }),
  ]);
  return Object.fromEntries(bound) as GrapevineClient;
}

function isProblem(error: unknown): error is Problem {
  return typeof error === 'object' && error !== null && 'code' in error && 'status' in error;
}
