import { messageOf } from '@temporal-kms/node-utils/error-details';
import { CliError } from '../cli/cli-error.ts';
import { duration } from '../cli/output.ts';
import { type Finding, findings } from '../cli/finding.ts';

const { ok, warning, failed, skipped } = findings('clock');

/** Google responds without credentials, and sends its time in the header `Date`. */
export const GOOGLE_TIME = 'https://cloudkms.googleapis.com/';

/**
 * Maximum difference between the clocks, in milliseconds. If the difference is larger, servers refuse tokens and
 * certificates, and processes ignore stored branch keys that appear to be from the future.
 */
const MAX_SKEW_MS = 300_000;
/**
 * The smallest difference that is reported, in milliseconds. Smaller differences mean nothing, because the header's
 * resolution is one second, and the response takes time.
 */
const NOTICED_MS = 5_000;

/**
 * Compares this machine's clock with the `Date` header of a server's response.
 * @param url undefined if there is no server to compare with
 */
export async function checkClock(url: string | undefined, now: () => Date): Promise<Finding> {
  if (url === undefined) return skipped('the emulator has no clock to compare with');
  try {
    const before = now().getTime();
    const { headers } = await fetch(url, {
      method: 'HEAD',
      signal: AbortSignal.timeout(10_000),
      redirect: 'manual',
    });
    const time = Date.parse(headers.get('date') ?? '');
    if (Number.isNaN(time)) return warning(`The response from ${url} contains no time`);
    const skew = (before + now().getTime()) / 2 - (time + 500);
    const text = `this clock is ${duration(Math.abs(skew))} ${skew > 0 ? 'ahead of' : 'behind'} ${new URL(url).host}`;
    if (Math.abs(skew) > MAX_SKEW_MS) return failed(text, 'timedatectl set-ntp true');
    if (Math.abs(skew) > NOTICED_MS) return warning(text, 'timedatectl set-ntp true');
    return ok(`this clock agrees with ${new URL(url).host}`);
  } catch (error) {
    return warning(`the clock was not checked: ${url} cannot be reached (${messageOf(error)})`);
  }
}

/**
 * Ends the command if this machine's clock is wrong by minutes, because the command's answer depends on the
 * time. If the clock could not be compared, reports why, and the command continues.
 * @throws CliError
 */
export async function requireClock(
  url: string | undefined,
  now: () => Date,
  progress: (text: string) => void,
): Promise<void> {
  const { status, text, fix } = await checkClock(url, now);
  if (status === 'failed') throw new CliError('configuration', text, fix);
  if (status === 'warning') progress(text);
}
