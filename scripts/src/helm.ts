import { findGo } from './go.ts';

/** Returns the path of Helm, built with Go at the first use, in some minutes. Returns undefined, with a message, if there is no Go. */
export async function findHelm(): Promise<string | undefined> {
  const go = await findGo('the Helm chart is not tested');
  return await go?.install('helm.sh/helm/v3/cmd/helm@v3.22.0', 'helm-3.22.0');
}
