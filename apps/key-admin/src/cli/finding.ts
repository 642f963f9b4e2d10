/** The result of one check. */
export interface Finding {
  /** What was checked: `permissions`, `round trip`, … */
  readonly check: string;
  /** `warning`: it works, but see the text. `skipped`: it was not checked. */
  readonly status: 'ok' | 'warning' | 'failed' | 'skipped';
  readonly text: string;
  /** What to type. */
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
