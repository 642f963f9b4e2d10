import { z } from 'zod/mini';
import { basePath } from '../base-path.ts';
import { withinLimit } from './server/time-limit.ts';

const url = z.url({ protocol: /^https?$/, error: 'must be an address with http or https' });
/** A path on the page's origin. An address that starts with two slashes would name another host. */
const path = z.string().check(z.regex(/^\/(?!\/)[\w.~/-]*$/));

/**
 * The content of `config.json`: the settings that differ between environments. The page loads the file when it starts.
 */
const runtimeConfig = z.object({
  /**
   * The codec server's origin and path prefix, or only the prefix; empty if the server shares the page's origin and
   * base path.
   */
  apiUrl: z._default(
    z.union([z.literal(''), path, url], 'must be empty, a path, or an address with http or https'),
    '',
  ),
  /** The address of Temporal's Web UI, to which each run links; if empty or absent, runs have no link. */
  temporalUiUrl: z.optional(z.union([z.literal(''), url], 'must be empty, or an address with http or https')),
});
export type RuntimeConfig = z.infer<typeof runtimeConfig>;

/**
 * Loads `config.json` from the folder of `index.html`. If `apiUrl` is empty, replaces it with the path of this folder.
 *
 * @param base path of the folder, with a slash at its end
 * @throws NoAnswer, or an Error whose message explains the fault in the file
 */
export async function loadConfig(
  send: typeof fetch = fetch,
  base: string = basePath,
): Promise<RuntimeConfig> {
  const file = `${base}config.json`;
  const response = await withinLimit(file, undefined, (signal) => send(file, { cache: 'no-store', signal }));
  if (!response.ok)
    throw new Error(
      `The request for ${file} failed with status ${response.status}. Deploy the file next to index.html.`,
    );
  const parsed = runtimeConfig.safeParse(await response.json().catch(() => undefined));
  if (!parsed.success)
    throw new Error(`${file} is invalid. Correct it and reload. ${z.prettifyError(parsed.error)}`);
  return { ...parsed.data, apiUrl: parsed.data.apiUrl || base.replace(/\/$/, '') };
}
