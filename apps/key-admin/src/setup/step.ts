/** A step of `setup`. `not possible`: an administrator with other rights has to take it. */
export interface Step {
  readonly title: string;
  readonly status: 'exists' | 'to do' | 'not possible';
  /** The equal lines for `gcloud`. */
  readonly gcloud: readonly string[];
  /** What a person should know about it. */
  readonly note?: string;
  readonly run?: () => Promise<void>;
}
