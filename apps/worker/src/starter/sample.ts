import type { Client, WorkflowHandle, WorkflowStartOptions } from '@temporalio/client';

/** What a sample gives beside its input: the payloads that Temporal shows in a workflow's header. */
type SampleOptions = Pick<
  WorkflowStartOptions,
  'memo' | 'staticSummary' | 'staticDetails' | 'priority' | 'workflowRunTimeout'
>;

export interface SampleDefinition<Input extends object> {
  readonly description: string;
  readonly workflow: (input: Input) => Promise<unknown>;
  readonly input: Input;
  readonly options?: (input: Input) => SampleOptions;
}

export interface StartRequest {
  readonly workflowId: string;
  readonly taskQueue: string;
  /** Fields to put in place of the sample's own; see `withInput`. */
  readonly input?: Readonly<Record<string, unknown>> | undefined;
  readonly options?: SampleOptions | undefined;
}

export interface Sample {
  readonly description: string;
  /** The sensible default. */
  readonly input: object;
  /** @throws WorkflowExecutionAlreadyStartedError when the id is in use or was, within Temporal's retention. */
  start(client: Client, request: StartRequest): Promise<WorkflowHandle>;
}

export function defineSample<Input extends object>(definition: SampleDefinition<Input>): Sample {
  const { description, workflow, input: defaults, options } = definition;
  return {
    description,
    input: defaults,
    start: (client, { workflowId, taskQueue, input, options: more }) => {
      const merged = withInput(defaults, input ?? {});
      return client.workflow.start<(input: Input) => Promise<unknown>>(workflow, {
        workflowId,
        taskQueue,
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        args: [merged],
        ...options?.(merged),
        ...more,
      });
    },
  };
}

/**
 * The defaults with some fields replaced.
 *
 * @throws Error for a field that the sample doesn't have, or of another JSON type than the default.
 */
function withInput<Input extends object>(defaults: Input, given: Readonly<Record<string, unknown>>): Input {
  const known = new Map<string, unknown>(Object.entries(defaults));
  for (const [name, value] of Object.entries(given)) {
    const standard = known.get(name);
    if (standard === undefined) {
      throw new Error(`The input has no field ${name}; it has ${[...known.keys()].join(', ')}`);
    }
    if (standard !== null && jsonType(value) !== jsonType(standard)) {
      throw new Error(`The input's field ${name} must be of type ${jsonType(standard)}`);
    }
  }
  return { ...defaults, ...given };
}

const jsonType = (value: unknown) =>
  Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value;
