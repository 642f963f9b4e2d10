import { z } from 'zod/mini';

const url = z.url({ protocol: /^https?$/, error: 'must be an address with http or https' });

/** The content of `/config.json`: what differs between environments. The page loads it when it starts. */
const runtimeConfig = z.object({
  /** The codec server's origin and path prefix; empty when it shares the page's origin. */
  apiUrl: z._default(z.union([z.literal(''), url], 'must be empty, or an address with http or https'), ''),
  /** The address of Temporal's Web UI, for a link from each run; empty or absent: no link. */
  temporalUiUrl: z.optional(z.union([z.literal(''), url], 'must be empty, or an address with http or https')),
});
export type RuntimeConfig = z.infer<typeof runtimeConfig>;

/**
 * Loads `/config.json`.
 *
 * @throws Error whose message explains the fault in the file
 */
export async function loadConfig(send: typeof fetch = fetch): Promise<RuntimeConfig> {
  const response = await send('/config.json', { cache: 'no-store' });
  if (!response.ok)
    throw new Error(
      `The request for /config.json failed with status ${response.status}. Deploy the file next to index.html.`,
    );
  const parsed = runtimeConfig.safeParse(await response.json().catch(() => undefined));
  if (!parsed.success)
    throw new Error(`/config.json is invalid. Correct it and reload. ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
