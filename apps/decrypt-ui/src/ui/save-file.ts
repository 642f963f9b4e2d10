/** Replaces characters that a file system could interpret, because third parties choose parts of the file name. */
const safeName = (name: string) => name.replaceAll(/[^\w.-]+/g, '_');

/**
 * Makes the browser save a file. Joins `parts` with dots to form the file name: `['order-1', 'input', 'json']` →
 * `order-1.input.json`.
 */
export function saveFile(parts: readonly string[], content: BlobPart, type: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = parts.map(safeName).join('.');
  link.click();
  // The browser reads the file some time after the click.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
