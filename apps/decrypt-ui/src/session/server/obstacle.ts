/** Why a request got no response that the page may read. */
export type Obstacle =
  /** The browser has no network. */
  | 'offline'
  /** The server responds, but does not allow this page's origin to read the response. */
  | 'origin'
  /** The content security policy of this page forbids the connection. */
  | 'policy'
  /** No server responds at the address. */
  | 'outage';

/**
 * Finds out why the codec server cannot be reached. Browsers report only that a request failed. The page cannot read
 * the response to a `no-cors` request, but if the request succeeds, a server responds.
 *
 * @param apiUrl as `loadConfig` returns it
 */
export async function findObstacle(apiUrl: string, signal?: AbortSignal): Promise<Obstacle> {
  let forbidden = false;
  const onViolation = ({ effectiveDirective }: SecurityPolicyViolationEvent) => {
    forbidden ||= effectiveDirective === 'connect-src';
  };
  document.addEventListener('securitypolicyviolation', onViolation);
  try {
    // This route needs no token, and is below the server's path prefix.
    const url = new URL(`${apiUrl.replace(/\/+$/, '')}/api/sign-in`, location.href);
    await fetch(url, { mode: 'no-cors', cache: 'no-store', credentials: 'omit', ...(signal && { signal }) });
    // A request to the page's own origin needs no CORS, so the response came from a proxy in front of the server.
    return url.origin === location.origin ? 'outage' : 'origin';
  } catch {
    // Waits, because the browser reports a policy violation only after it has rejected the request.
    await new Promise((resolve) => setTimeout(resolve));
    if (forbidden) return 'policy';
    return navigator.onLine ? 'outage' : 'offline';
  } finally {
    document.removeEventListener('securitypolicyviolation', onViolation);
  }
}
