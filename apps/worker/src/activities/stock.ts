import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure, heartbeat, activityInfo } from '@temporalio/activity';

export interface OrderItem {
  readonly sku: string;
  readonly quantity: number;
  readonly cents: number;
}

/** Its first attempt fails, so that a history has a retry to show. */
export async function reserveStock(customer: string, items: readonly OrderItem[]): Promise<string> {
  if (activityInfo().attempt === 1) {
    throw ApplicationFailure.retryable(`Shelf is locked while ${customer} orders`, 'ShelfLocked', {
      tryAgain: `${customer} keeps the basket`,
    });
  }
  return `${items.length} articles set aside for ${customer}`;
}

/**
 * Heartbeats and then falls silent until Temporal gives it up: the failure in history carries `lastHeartbeatDetails`.
 */
export async function packByRobot(customer: string, items: readonly OrderItem[]): Promise<never> {
  heartbeat({ packed: 1, of: items.length, label: `Label printed for ${customer}` });
  await sleep(2_000);
  throw ApplicationFailure.retryable('The robot fell silent', 'RobotSilent');
}

/** `robot`: the robot's last heartbeat, if it gave one. */
export async function packByHand(
  customer: string,
  items: readonly OrderItem[],
  robot: unknown,
): Promise<string> {
  const byRobot = typeof robot === 'object' && robot !== null && 'packed' in robot ? Number(robot.packed) : 0;
  return `Parcel of ${customer}: ${byRobot} packed by robot, ${items.length - byRobot} by hand`;
}

export async function countShelf(
  warehouse: string,
  shelf: number,
): Promise<{ shelf: string; article: string; quantity: number }> {
  const articles = ['Kettle', 'Desk lamp', 'Wool blanket', 'Coffee mill', 'Bread knife', 'Garden chair'];
  const article = articles[shelf % articles.length] ?? 'Kettle';
  return { shelf: `${warehouse}/${shelf}`, article, quantity: (shelf * 37) % 101 };
}
