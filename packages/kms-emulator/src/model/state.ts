import { KeySpace } from './key-space.ts';
import { Policies } from './iam/policies.ts';

/** The state that is kept across restarts, with a revision number that increases with every change. */
export class State {
  readonly keys: KeySpace;
  readonly policies: Policies;
  #revision = 0;

  constructor() {
    const changed = () => {
      this.#revision += 1;
    };
    this.keys = new KeySpace(changed);
    this.policies = new Policies(changed);
  }

  get revision(): number {
    return this.#revision;
  }
}
