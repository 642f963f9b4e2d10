import { evidenceLines } from '../scan/report-text.ts';
import type { Verdict } from './verdict.ts';

/** Returns the verdict as lines for people. */
export function verdictLines(verdict: Verdict): string[] {
  const { key, version, mayDestroy, reasons, evidence, scanned, notPrimarySince, scanAfter } = verdict;
  const { statement, template } = verdict;
  return [
    mayDestroy
      ? `YES: version ${version} of ${key} may be destroyed.`
      : `NO: version ${version} of ${key} may not be destroyed.`,
    ...reasons.map(({ message }) => `  because ${message}`),
    ...(scanned === null ? ['  No scan was necessary: its result could not change the answer.'] : []),
    ...(mayDestroy
      ? (scanned ?? []).map(
          ({ started, server, namespaces }) =>
            `  The scan of ${started} saw everything in ${namespaces.map(({ name }) => name).join(', ')}${server === null ? '' : ` of ${server.address}`}, and nothing needs the version.`,
        )
      : []),
    ...(statement === null
      ? []
      : [`  What no scan sees was stated by ${statement.name} at ${statement.time}.`]),
    ...(notPrimarySince === null ? [] : [`  Another version was primary at ${notPrimarySince}.`]),
    ...(scanAfter === null || mayDestroy ? [] : [`  A scan that starts after ${scanAfter} counts.`]),
    ...evidence.flatMap(({ server, namespace, places }) => [
      `  ${namespace} of ${server}:`,
      ...evidenceLines(places),
    ]),
    ...(template === null ? [] : ['', ...template]),
  ];
}
