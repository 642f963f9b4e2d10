/** The part of a file's name that a third party chose, without characters that a file system could interpret. */
const safeName = (name: string) => name.replaceAll(/[^\w.-]+/g, '_');

/** Lets the browser save a file. `parts` join the file's name: `['order-1', 'input', 'json']` → `order-1.input.json`. */
export function saveFile(parts: readonly string[], content: BlobPart, type: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = parts.map(safeName).join('.');
  link.click();
  // The browser reads the file after the click.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
