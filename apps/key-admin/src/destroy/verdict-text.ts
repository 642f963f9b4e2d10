import { evidenceLines } from '../scan/report-text.ts';
import type { Verdict } from './verdict.ts';

/** Returns the verdict as lines for people. */
export function verdictLines(verdict: Verdict): string[] {
  const { key, version, mayDestroy, reasons, evidence, scanned, notSeen, notPrimarySince, scanAfter } =
    verdict;
  return [
    mayDestroy
      ? `YES: version ${version} of ${key} may be destroyed.`
      : `NO: version ${version} of ${key} may not be destroyed.`,
    ...reasons.map(({ message }) => `  because ${message}`),
    ...(scanned === null ? ['  No scan was necessary: its result could not change the answer.'] : []),
    ...(scanned !== null && mayDestroy
      ? [
          `  The scan of ${scanned.started} saw everything in ${scanned.namespaces.join(', ')}, and nothing needs the version.`,
        ]
      : []),
    ...(notPrimarySince === null ? [] : [`  Another version was primary at ${notPrimarySince}.`]),
    ...(scanAfter === null || mayDestroy ? [] : [`  A scan that starts after ${scanAfter} counts.`]),
    ...evidence.flatMap(({ namespace, places }) => [`  ${namespace}:`, ...evidenceLines(places, '    ')]),
    ...(notSeen.length === 0 ? [] : ['  No scan sees:', ...notSeen.map((what) => `    - ${what}`)]),
  ];
}
