import type { Go } from './go.ts';

/** The latest version whose modules are all available from Go's module proxy. */
const VERSION = '2.55.0';

/**
 * Returns the path of Temporal's Web UI server, which is built with Go on first use. The build takes a few
 * minutes.
 */
export const findWebUiServer = (go: Go): Promise<string> =>
  go.install(`github.com/temporalio/ui-server/v2/cmd/server@v${VERSION}`, `temporal-ui-server-${VERSION}`);
