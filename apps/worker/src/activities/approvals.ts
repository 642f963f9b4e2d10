import { CancelledFailure, Context, cancellationDetails, heartbeat } from '@temporalio/activity';

/** Waits until it is cancelled, and answers with details of its own. */
export async function waitForApprover(requester: string, cents: number): Promise<never> {
  const { cancelled } = Context.current();
  const beat = setInterval(() => heartbeat({ waiting: `${requester} asks for ${cents}` }), 2_000);
  heartbeat({ waiting: `${requester} asks for ${cents}` });
  try {
    return await cancelled;
  } catch (error) {
    // A worker that shuts down cancels its activities too: then another worker goes on waiting.
    if (!cancellationDetails()?.cancelRequested) throw error;
    throw new CancelledFailure(`Approval for ${requester} was called off`, [
      { withdrawn: `${requester} withdrew the request` },
    ]);
  } finally {
    clearInterval(beat);
  }
}

/** Runs as a local activity, after the cancellation. */
export async function withdrawRequest(requester: string): Promise<string> {
  return `Request of ${requester} is withdrawn`;
}
