import type { Problem } from './generated/types.gen.js';

/** An answer that is a problem document. `code` tells them apart and never changes its meaning. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly code: Problem['code'];
  readonly status: number;
  readonly requestId: string;

  constructor(
    readonly problem: Problem,
    readonly response: Response,
  ) {
    super(`${problem.status} ${problem.code}: ${problem.detail || problem.title}`);
    this.code = problem.code;
    this.status = problem.status;
    this.requestId = problem.request_id;
  }
}
