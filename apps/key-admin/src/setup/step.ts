/**
 * A step of `setup`. `not possible`: the caller lacks permissions, so another administrator must carry out
 * the step.
 */
export interface Step {
  readonly title: string;
  readonly status: 'exists' | 'to do' | 'not possible';
  /** The equivalent `gcloud` commands. */
  readonly gcloud: readonly string[];
  /** A note about the step for the person who runs the command. */
  readonly note?: string;
  readonly run?: () => Promise<void>;
}
