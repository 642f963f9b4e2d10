import { KmsCodecPlugin, type WorkerAttempts, type WorkerConvertingOptions } from '@temporal-kms/kms-codec';
import { propertyOf } from '@temporal-kms/node-utils/error-details';
import { ActivityAttempts } from './attempts/activity-attempts.ts';
import { codecsOf, watchActivityTasks } from './sdk-internals.ts';
import { requireTestedSdk } from './sdk-version.ts';

/**
 * `KmsCodecPlugin` for workers: the input of an activity also waits for Cloud KMS within the time limits of its attempt, with
 * heartbeats, and not in a task that Temporal has given up. Clients may use it too.
 * @example
 * ```ts
 * const worker = await Worker.create({ plugins: [new KmsWorkerPlugin(codec)], taskQueue: 'orders', activities });
 * ```
 */
export class KmsWorkerPlugin extends KmsCodecPlugin {
  /**
   * @throws KmsConfigurationError with a version of Temporal's SDK that was not tested, or if `workflowBundle` contains no
   *   failure converter
   */
  override configureWorker<T extends WorkerConvertingOptions>(options: T): T {
    requireTestedSdk();
    return super.configureWorker(options);
  }

  /** @throws KmsConfigurationError if the worker lacks what this package reads and replaces in it */
  override async runWorker<W extends object>(worker: W, next: (worker: W) => Promise<void>): Promise<void> {
    const attempts = codecsOf(worker)
      .map((codec) => propertyOf(codec, 'attempts'))
      .find((known) => known instanceof ActivityAttempts);
    // A replay worker runs no activities.
    if (attempts) watchActivityTasks(worker, attempts);
    await super.runWorker(worker, next);
  }

  protected override newAttempts(): WorkerAttempts {
    return new ActivityAttempts();
  }
}
