import { KmsCodecPlugin, type WorkerAttempts, type WorkerConvertingOptions } from '@temporal-kms/kms-codec';
import { propertyOf } from '@temporal-kms/node-utils/error-details';
import { ActivityAttempts } from './attempts/activity-attempts.ts';
import { codecsOf, watchActivityTasks } from './sdk-internals.ts';
import { requireTestedSdk } from './sdk-version.ts';

/**
 * A `KmsCodecPlugin` for workers. If the decoding of an activity's input must wait for Cloud KMS, this plugin
 * also keeps to the attempt's time limits, sends heartbeats, and stops waiting once Temporal has ended the
 * attempt. Clients can also use this plugin.
 * @example
 * ```ts
 * const worker = await Worker.create({ plugins: [new KmsWorkerPlugin(codec)], taskQueue: 'orders', activities });
 * ```
 */
export class KmsWorkerPlugin extends KmsCodecPlugin {
  /**
   * @throws KmsConfigurationError if this package was not tested with the installed version of Temporal's
   *   SDK, or if `workflowBundle` contains no failure converter
   */
  override configureWorker<T extends WorkerConvertingOptions>(options: T): T {
    requireTestedSdk();
    return super.configureWorker(options);
  }

  /** @throws KmsConfigurationError if the worker lacks internals that this package reads or replaces */
  override async runWorker<W extends object>(worker: W, next: (worker: W) => Promise<void>): Promise<void> {
    const attempts = codecsOf(worker)
      .map((codec) => propertyOf(codec, 'attempts'))
      .find((known) => known instanceof ActivityAttempts);
    // The attempts are undefined for a replay worker, which runs no activities.
    if (attempts) watchActivityTasks(worker, attempts);
    await super.runWorker(worker, next);
  }

  protected override newAttempts(): WorkerAttempts {
    return new ActivityAttempts();
  }
}
