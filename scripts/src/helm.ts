import { findGo } from './go.ts';

/**
 * Returns the path of Helm, which is built with Go on first use. The build takes a few minutes. Without Go,
 * prints a message and returns undefined.
 */
export async function findHelm(): Promise<string | undefined> {
  const go = await findGo('the Helm chart is not tested');
  return await go?.install('helm.sh/helm/v3/cmd/helm@v3.22.0', 'helm-3.22.0');
}
