import { KmsError } from '../model/errors.ts';

/** The kinds of quota that Cloud KMS counts separately (cloud.google.com/kms/quotas). */
export type QuotaKind = 'read' | 'write' | 'software' | 'hsm';

/** Maximum numbers of calls per minute and project. A kind that is absent has no limit. */
export type QuotaLimits = { readonly [Kind in QuotaKind]?: number };

const MINUTE = 60_000;
const metric = { read: 'Read', write: 'Write', software: 'Software', hsm: 'HSM' } as const;

/** Counts the calls in each minute of the emulator's clock. */
export class Quotas {
  #limits: QuotaLimits = {};
  #minute = 0;
  readonly #used = new Map<string, number>();

  get limits(): QuotaLimits {
    return this.#limits;
  }

  set(limits: QuotaLimits): void {
    this.#limits = limits;
    this.#used.clear();
  }

  /**
   * Counts a call.
   * @throws KmsError RESOURCE_EXHAUSTED if the project has used up its quota for this minute
   */
  use(kind: QuotaKind, project: string, now: number): void {
    const limit = this.#limits[kind];
    if (limit === undefined) return;
    const minute = Math.floor(now / MINUTE);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#used.clear();
    }
    const key = `${kind}:${project}`;
    const used = this.#used.get(key) ?? 0;
    if (used >= limit) throw exceeded(kind, project, limit);
    this.#used.set(key, used + 1);
  }
}

function exceeded(kind: QuotaKind, project: string, limit: number): KmsError {
  const name = metric[kind];
  return new KmsError(
    'RESOURCE_EXHAUSTED',
    `Quota exceeded for quota metric '${name} usage' and limit '${name} usage per minute' ` +
      `of service 'cloudkms.googleapis.com' for consumer 'projects/${project}'.`,
    {
      info: {
        reason: 'RATE_LIMIT_EXCEEDED',
        domain: 'googleapis.com',
        metadata: {
          service: 'cloudkms.googleapis.com',
          consumer: `projects/${project}`,
          quota_metric: `cloudkms.googleapis.com/${kind}_usage`,
          quota_limit_value: String(limit),
        },
      },
    },
  );
}
