/** The result of one check. */
export interface Finding {
  /** The subject of the check: `permissions`, `round trip`, … */
  readonly check: string;
  /** `warning`: the check passed, but the text contains a warning. `skipped`: the check did not run. */
  readonly status: 'ok' | 'warning' | 'failed' | 'skipped';
  readonly text: string;
  /** Commands to type. */
  readonly fix: readonly string[];
  readonly milliseconds?: number;
}

/** Returns functions that create the findings of one check. */
export const findings = (check: string) => ({
  ok: (text: string, milliseconds?: number): Finding => ({
    check,
    status: 'ok',
    text,
    fix: [],
    ...(milliseconds !== undefined && { milliseconds: Math.round(milliseconds) }),
  }),
  warning: (text: string, ...fix: string[]): Finding => ({ check, status: 'warning', text, fix }),
  failed: (text: string, ...fix: string[]): Finding => ({ check, status: 'failed', text, fix }),
  skipped: (text: string, ...fix: string[]): Finding => ({ check, status: 'skipped', text, fix }),
});
