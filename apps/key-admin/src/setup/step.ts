/** A step of `setup`. `not possible`: an administrator with other permissions has to carry out the step. */
export interface Step {
  readonly title: string;
  readonly status: 'exists' | 'to do' | 'not possible';
  /** The equivalent `gcloud` commands. */
  readonly gcloud: readonly string[];
  /** What a person should know about the step. */
  readonly note?: string;
  readonly run?: () => Promise<void>;
}
