import { badRequest, HttpError } from '../errors.ts';

/**
 * The namespace that a request is about: X-Namespace decides, and a path that names one must name the same.
 *
 * @throws HttpError 400 `namespace_required` without it; 400 where it isn't served, or the path says otherwise
 */
export function namespaceOf(
  header: string | undefined,
  inPath: string | undefined,
  serves: (namespace: string) => boolean,
): string {
  // The Web UI sends the word where a page has no namespace.
  if (header === undefined || header === '' || header === 'undefined') {
    throw new HttpError(
      400,
      'namespace_required',
      'Say which namespace the payloads are of: X-Namespace is missing. (The CLI sends it from --namespace.)',
    );
  }
  if (!serves(header)) throw badRequest('This codec server has no keys for the namespace in X-Namespace.');
  if (inPath !== undefined && inPath !== header) {
    throw badRequest('The path names another namespace than X-Namespace; send the same in both.');
  }
  return header;
}
