import { z } from 'zod';

/** `/config.json`: what differs between environments, read when the page starts. One build serves all of them. */
const runtimeConfig = z.object({
  /** Origin (and path prefix) of the codec server; empty when it answers on this page's own origin. */
  apiUrl: z.union([z.literal(''), z.url({ protocol: /^https?$/ })]).default(''),
  /** Temporal's own Web UI, for a link from each run. */
  temporalUiUrl: z.url({ protocol: /^https?$/ }).optional(),
});
export type RuntimeConfig = z.infer<typeof runtimeConfig>;

/** @throws Error that says what is wrong with the file */
export async function loadConfig(send: typeof fetch = fetch): Promise<RuntimeConfig> {
  const response = await send('/config.json', { cache: 'no-store' });
  if (!response.ok) throw new Error(`/config.json answered with status ${response.status}.`);
  const parsed = runtimeConfig.safeParse(await response.json().catch(() => undefined));
  if (!parsed.success) throw new Error(`/config.json is wrong: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
