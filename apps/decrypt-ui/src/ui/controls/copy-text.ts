import { announce } from '../live-region.tsx';

/**
 * Copies a text, and tells screen readers whether that succeeded. Returns whether it did: a browser may deny it, and has no
 * clipboard for a page that is served without https.
 *
 * @param what the name of what is copied, such as `workflow id`
 */
export async function copyText(what: string, text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    announce(`Copied ${what}`);
    return true;
  } catch {
    announce('Copying failed: the browser blocked access to the clipboard.');
    return false;
  }
}
