/** A file type that the page recognises by its first bytes. */
export interface Media {
  /** `PNG`, `PDF`. */
  readonly name: string;
  readonly extension: string;
  readonly type: string;
  readonly kind: 'picture' | 'document';
}

const picture = (name: string, extension: string): Media => ({
  name,
  extension,
  type: `image/${name.toLowerCase()}`,
  kind: 'picture',
});

/**
 * The bytes that identify each type, as a Latin-1 string, at offset `at` (default 0). SVG and HTML are omitted because
 * they can contain scripts.
 */
const signatures: readonly { readonly at?: number; readonly bytes: string; readonly media: Media }[] = [
  { bytes: '\u0089PNG\r\n\u001a\n', media: picture('PNG', 'png') },
  { bytes: '\u00ff\u00d8\u00ff', media: picture('JPEG', 'jpg') },
  { bytes: 'GIF8', media: picture('GIF', 'gif') },
  { at: 8, bytes: 'WEBP', media: picture('WebP', 'webp') },
  { at: 4, bytes: 'ftypavif', media: picture('AVIF', 'avif') },
  { bytes: '%PDF-', media: { name: 'PDF', extension: 'pdf', type: 'application/pdf', kind: 'document' } },
];

/** Recognises a picture or a PDF by its first bytes, and ignores the payload's metadata. */
export function mediaOf(bytes: Uint8Array): Media | undefined {
  const start = String.fromCharCode(...bytes.subarray(0, 16));
  return signatures.find(({ at = 0, bytes: first }) => start.startsWith(first, at))?.media;
}
