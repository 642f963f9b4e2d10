import { createHash } from 'node:crypto';
import {
  activityInfo,
  ApplicationFailure,
  CancelledFailure,
  cancellationDetails,
  CompleteAsyncError,
  Context,
  heartbeat,
  sleep,
} from '@temporalio/activity';

export interface OrderItem {
  readonly sku: string;
  readonly quantity: number;
  readonly cents: number;
}

export interface Handover {
  readonly note: string;
  readonly signature: string;
}

/** The activities that the worker registers, by type. */
export const activities = {
  /** Runs as a local activity, so the history contains its result in a marker. */
  async priceOrder(customer: string, items: readonly OrderItem[]): Promise<{ cents: number; offer: string }> {
    const cents = items.reduce((sum, { quantity, cents: each }) => sum + quantity * each, 0);
    return { cents, offer: `Offer made to ${customer}` };
  },

  async chargeCard({ customer, cents }: { customer: string; cents: number }): Promise<string> {
    return `Receipt: ${customer} paid ${(cents / 100).toFixed(2)}`;
  },

  async awardPoints(customer: string, cents: number): Promise<string> {
    return `${Math.floor(cents / 100)} points for ${customer}`;
  },

  /**
   * Always fails, and is not retried. The failure has two nested causes. The failure and its first cause have details.
   */
  async authorizeCard(customer: string, cents: number): Promise<never> {
    const answer = new Error(`Issuer: card of ${customer} is blocked`);
    const refusal = ApplicationFailure.create({
      message: `Bank refused ${customer}`,
      type: 'BankRefused',
      details: [{ advice: `Ask ${customer} for another card`, cents }],
      cause: answer,
    });
    throw ApplicationFailure.create({
      message: `Card of ${customer} was not authorized`,
      type: 'CardRefused',
      nonRetryable: true,
      details: [{ holder: `Holder is ${customer}` }],
      cause: refusal,
    });
  },

  /** Sends a heartbeat on each attempt, and fails on every attempt except the one on which the bank opens. */
  async transferFunds(merchant: string, bankOpensAtAttempt: number): Promise<string> {
    const { attempt } = activityInfo();
    heartbeat({ attempt, step: `Account of ${merchant} opened` });
    if (attempt !== bankOpensAtAttempt) {
      throw ApplicationFailure.retryable(`Bank of ${merchant} is closed`, 'BankClosed', { attempt });
    }
    return `Funds of ${merchant} transferred`;
  },

  /** Fails on its first attempt, so that the history shows a retry. */
  async reserveStock(customer: string, items: readonly OrderItem[]): Promise<string> {
    if (activityInfo().attempt === 1) {
      throw ApplicationFailure.retryable(`Shelf is locked while ${customer} orders`, 'ShelfLocked', {
        tryAgain: `${customer} keeps the basket`,
      });
    }
    return `${items.length} articles set aside for ${customer}`;
  },

  /**
   * Sends one heartbeat, and then ends with a heartbeat timeout. The activity's failure in the history has
   * `lastHeartbeatDetails`.
   */
  async packByRobot(customer: string, items: readonly OrderItem[]): Promise<never> {
    heartbeat({ packed: 1, of: items.length, label: `Label printed for ${customer}` });
    // Far longer than the heartbeat timeout, because a busy server ends the attempt late.
    await sleep(20_000);
    throw ApplicationFailure.retryable('The robot fell silent', 'RobotSilent');
  },

  /** @param robot the details of the robot's last heartbeat, if any */
  async packByHand(customer: string, items: readonly OrderItem[], robot: unknown): Promise<string> {
    const byRobot =
      typeof robot === 'object' && robot !== null && 'packed' in robot ? Number(robot.packed) : 0;
    return `Parcel of ${customer}: ${byRobot} packed by robot, ${items.length - byRobot} by hand`;
  },

  async countShelf(
    warehouse: string,
    shelf: number,
  ): Promise<{ shelf: string; article: string; quantity: number }> {
    const articles = ['Kettle', 'Desk lamp', 'Wool blanket', 'Coffee mill', 'Bread knife', 'Garden chair'];
    const article = articles[shelf % articles.length] ?? 'Kettle';
    return { shelf: `${warehouse}/${shelf}`, article, quantity: (shelf * 37) % 101 };
  },

  /** Returns the courier's position on a lap around a town. */
  async locateCourier(
    courier: string,
    stop: number,
    message: string,
  ): Promise<{ report: string; latitude: number; longitude: number }> {
    const angle = (stop * Math.PI) / 24;
    return {
      report: `${courier} is at stop ${stop} (${message})`,
      latitude: Number((53.55 + 0.05 * Math.sin(angle)).toFixed(5)),
      longitude: Number((9.99 + 0.08 * Math.cos(angle)).toFixed(5)),
    };
  },

  async handOver(customer: string, address: string): Promise<Handover> {
    return {
      note: `Handed to ${customer} at ${address}`,
      signature: createHash('sha256').update(customer).digest('hex').slice(0, 16),
    };
  },

  /** Waits until it is cancelled, and then reports the cancellation with details. */
  async waitForApprover(requester: string, cents: number): Promise<never> {
    const { cancelled } = Context.current();
    const beat = setInterval(() => heartbeat({ waiting: `${requester} asks for ${cents}` }), 2_000);
    heartbeat({ waiting: `${requester} asks for ${cents}` });
    try {
      return await cancelled;
    } catch (error) {
      // A worker that shuts down also cancels its activities. Temporal then gives these activities to another
      // worker.
      if (!cancellationDetails()?.cancelRequested) throw error;
      throw new CancelledFailure(`Approval for ${requester} was called off`, [
        { withdrawn: `${requester} withdrew the request` },
      ]);
    } finally {
      clearInterval(beat);
    }
  },

  /**
   * Sends its task token to its workflow. Another process, the workshop, completes the activity with this
   * token.
   */
  async sendToWorkshop(_customer: string, _article: string): Promise<string> {
    const { taskToken, workflowExecution } = activityInfo();
    const ticket = Buffer.from(taskToken).toString('base64');
    const { workflowId, runId } = workflowExecution ?? { workflowId: '' };
    await Context.current()
      .client.workflow.getHandle(workflowId, runId)
      .signal<[string]>('workshopTicket', ticket);
    throw new CompleteAsyncError();
  },

  /** Returns a list of about 40 bytes per article. */
  async fetchPriceList(supplier: string, articles: number): Promise<string> {
    const line = (index: number) => `${supplier} sells article ${index} for ${(index * 37) % 1_000}.90\n`;
    return Array.from({ length: articles }, (_, index) => line(index)).join('');
  },

  async checkPriceList(supplier: string, list: string): Promise<string> {
    return `${list.split('\n').length - 1} prices of ${supplier} are valid`;
  },

  /** Runs as a local activity after the cancellation. */
  async withdrawRequest(requester: string): Promise<string> {
    return `Request of ${requester} is withdrawn`;
  },
};
export type Activities = typeof activities;
