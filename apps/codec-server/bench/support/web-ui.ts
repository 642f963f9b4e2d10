import { chromiumArguments, findChromium } from '@temporal-kms/scripts/browser';
import { chromium } from '@playwright/test';
import { NAMESPACE } from './bundle.ts';
import type { LongHistory } from './long-history.ts';

const DOWNLOAD_MS = 300_000;

/**
 * Returns how many seconds the "Decoded" download of Temporal's Web UI takes, from the click to the file.
 * @param headers sent with every request, because the Web UI sends a token only over HTTPS
 */
export async function webUiDownload(
  uiUrl: string,
  { workflowId, runId }: LongHistory,
  headers: Readonly<Record<string, string>> = {},
): Promise<number> {
  const browser = await chromium.launch({
    executablePath: await findChromium(),
    args: [...chromiumArguments],
  });
  try {
    const page = await browser.newPage({ extraHTTPHeaders: headers });
    await page.goto(`${uiUrl}/namespaces/${NAMESPACE}/workflows/${workflowId}/${runId}/history`);
    await page
      .getByRole('button', { name: /download/i })
      .first()
      .click();
    await page.getByRole('dialog').getByText('Decoded', { exact: true }).click();
    const downloading = page.waitForEvent('download', { timeout: DOWNLOAD_MS });
    const start = performance.now();
    await page
      .getByRole('dialog')
      .getByRole('button', { name: /download/i })
      .click();
    await (await downloading).path();
    return (performance.now() - start) / 1_000;
  } finally {
    await browser.close();
  }
}
