/** A place where Temporal stores a payload, and the words that a sample writes there around its customer's name. */
export interface Place {
  readonly place: string;
  /** See `Stored.where`. */
  readonly where: string;
  readonly text: (name: string) => string;
}

/** Every place of a payload that the samples use. Only the name differs between the encrypted run and its control. */
export const places: readonly Place[] = [
  { place: 'workflow input', where: 'WORKFLOW_EXECUTION_STARTED', text: (name) => `Door 1 of ${name}` },
  { place: 'workflow result', where: 'WORKFLOW_EXECUTION_COMPLETED', text: (name) => `Delivered to ${name}` },
  { place: 'memo at start', where: 'WORKFLOW_EXECUTION_STARTED', text: (name) => `Card inside: for ${name}` },
  { place: 'memo as described', where: 'memo', text: (name) => `Card inside: for ${name}` },
  { place: 'upserted memo', where: 'WORKFLOW_PROPERTIES_MODIFIED', text: (name) => `${name} has paid` },
  { place: 'static summary', where: 'WORKFLOW_EXECUTION_STARTED', text: (name) => `Order of ${name}` },
  { place: 'static details', where: 'WORKFLOW_EXECUTION_STARTED', text: (name) => `neighbours of ${name}` },
  {
    place: 'activity input',
    where: 'ACTIVITY_TASK_SCHEDULED',
    text: (name) => `{"customer":"${name}","cents"`,
  },
  {
    place: 'activity summary',
    where: 'ACTIVITY_TASK_SCHEDULED',
    text: (name) => `Charge the card of ${name}`,
  },
  { place: 'activity result', where: 'ACTIVITY_TASK_COMPLETED', text: (name) => `Receipt: ${name} paid` },
  {
    place: "failed attempt's message",
    where: 'ACTIVITY_TASK_STARTED',
    text: (name) => `locked while ${name} orders`,
  },
  {
    place: "failed attempt's details",
    where: 'ACTIVITY_TASK_STARTED',
    text: (name) => `${name} keeps the basket`,
  },
  { place: 'last heartbeat', where: 'ACTIVITY_TASK_TIMED_OUT', text: (name) => `Label printed for ${name}` },
  { place: 'pending heartbeat', where: 'pending activity', text: (name) => `Account of ${name} opened` },
  { place: 'pending failure', where: 'pending activity', text: (name) => `Bank of ${name} is closed` },
  { place: 'local activity result', where: 'MARKER_RECORDED', text: (name) => `Offer made to ${name}` },
  { place: 'signal', where: 'WORKFLOW_EXECUTION_SIGNALED', text: (name) => `Note from ${name}` },
  {
    place: 'signal to another workflow',
    where: 'SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED',
    text: (name) => `The courier met ${name}`,
  },
  {
    place: 'update arguments',
    where: 'WORKFLOW_EXECUTION_UPDATE_ACCEPTED',
    text: (name) => `Gate 7 of ${name}`,
  },
  {
    place: 'update result',
    where: 'WORKFLOW_EXECUTION_UPDATE_COMPLETED',
    text: (name) => `Parcel for ${name} now`,
  },
  {
    place: 'update failure',
    where: 'WORKFLOW_EXECUTION_UPDATE_COMPLETED',
    text: (name) => `Voucher V-${name} was`,
  },
  {
    place: "update failure's details",
    where: 'WORKFLOW_EXECUTION_UPDATE_COMPLETED',
    text: (name) => `{"voucher":"V-${name}`,
  },
  { place: 'timer summary', where: 'TIMER_STARTED', text: (name) => `Wait for a note from ${name}` },
  {
    place: 'child workflow input',
    where: 'START_CHILD_WORKFLOW_EXECUTION_INITIATED',
    text: (name) => `{"customer":"${name}","address":"Gate 7`,
  },
  {
    place: 'child workflow memo',
    where: 'START_CHILD_WORKFLOW_EXECUTION_INITIATED',
    text: (name) => `Fragile: parcel of ${name}`,
  },
  {
    place: 'child workflow summary',
    where: 'START_CHILD_WORKFLOW_EXECUTION_INITIATED',
    text: (name) => `Bring the parcel to ${name}`,
  },
  {
    place: 'child workflow details',
    where: 'START_CHILD_WORKFLOW_EXECUTION_INITIATED',
    text: (name) => `Ring twice at ${name}`,
  },
  {
    place: 'child workflow result',
    where: 'CHILD_WORKFLOW_EXECUTION_COMPLETED',
    text: (name) => `Handed to ${name} at`,
  },
  {
    place: 'child workflow failure',
    where: 'CHILD_WORKFLOW_EXECUTION_FAILED',
    text: (name) => `Card of ${name} was not authorized`,
  },
  {
    place: 'activity failure',
    where: 'ACTIVITY_TASK_FAILED',
    text: (name) => `Card of ${name} was not authorized`,
  },
  { place: 'failure details', where: 'ACTIVITY_TASK_FAILED', text: (name) => `Holder is ${name}` },
  { place: "cause's message", where: 'WORKFLOW_EXECUTION_FAILED', text: (name) => `Bank refused ${name}` },
  {
    place: "cause's details",
    where: 'WORKFLOW_EXECUTION_FAILED',
    text: (name) => `Ask ${name} for another card`,
  },
  {
    place: "cause's cause",
    where: 'WORKFLOW_EXECUTION_FAILED',
    text: (name) => `card of ${name} is blocked`,
  },
  {
    place: 'workflow failure',
    where: 'WORKFLOW_EXECUTION_FAILED',
    text: (name) => `Checkout of ${name} failed`,
  },
  {
    place: "workflow failure's details",
    where: 'WORKFLOW_EXECUTION_FAILED',
    text: (name) => `${name} could not pay`,
  },
  {
    place: "stack trace's first line",
    where: 'WORKFLOW_EXECUTION_FAILED',
    text: (name) => `Error: Issuer: card of ${name}`,
  },
  {
    place: 'failure that a retried run continues',
    where: 'WORKFLOW_EXECUTION_STARTED',
    text: (name) => `Card of ${name} was not authorized`,
  },
  {
    place: 'workflow task failure',
    where: 'WORKFLOW_TASK_FAILED',
    text: (name) => `${name} has no membership`,
  },
  {
    place: 'continue-as-new input',
    where: 'WORKFLOW_EXECUTION_CONTINUED_AS_NEW',
    text: (name) => `Receipt: ${name} paid 9.90`,
  },
  {
    place: 'continue-as-new memo',
    where: 'WORKFLOW_EXECUTION_CONTINUED_AS_NEW',
    text: (name) => `${name} has paid 1 of 2`,
  },
  {
    place: 'cancellation details',
    where: 'ACTIVITY_TASK_CANCELED',
    text: (name) => `${name} withdrew the request`,
  },
  {
    place: 'termination details',
    where: 'WORKFLOW_EXECUTION_TERMINATED',
    text: (name) => `Budget of ${name} is closed`,
  },
  { place: "schedule's arguments", where: 'schedule', text: (name) => `Corner shop of ${name}` },
  { place: "schedule's memo", where: 'schedule', text: (name) => `Schedule of ${name}` },
  { place: "scheduled workflow's memo", where: 'schedule', text: (name) => `Report for ${name}` },
  { place: "scheduled workflow's summary", where: 'schedule', text: (name) => `Daily report of ${name}` },
  { place: "scheduled workflow's details", where: 'schedule', text: (name) => `Print it for ${name}` },
  {
    place: 'result of the last scheduled run',
    where: 'WORKFLOW_EXECUTION_STARTED',
    text: (name) => `First report of Corner shop of ${name}`,
  },
  {
    place: 'update that starts a workflow',
    where: 'WORKFLOW_EXECUTION_UPDATE_ACCEPTED',
    text: (name) => `Kettle for ${name}`,
  },
  {
    place: 'signal that starts a workflow',
    where: 'WORKFLOW_EXECUTION_SIGNALED',
    text: (name) => `Is it new, ${name}`,
  },
  {
    place: 'completion by token',
    where: 'ACTIVITY_TASK_COMPLETED',
    text: (name) => `Repaired the clock of ${name}`,
  },
  { place: 'heartbeat by token', where: 'pending activity', text: (name) => `Clock of ${name} lies open` },
  { place: 'failure by token', where: 'ACTIVITY_TASK_FAILED', text: (name) => `No spare parts for ${name}` },
  {
    place: 'cancellation by token',
    where: 'ACTIVITY_TASK_CANCELED',
    text: (name) => `Clock of ${name} goes back`,
  },
];

/** Texts of queries and rejected updates, which Temporal does not store. */
export const passing = {
  query: (name: string) => `aunt of ${name}`,
  queryResult: (name: string) => `the order of ${name} is`,
  rejectedUpdate: (name: string) => `Nowhere near ${name}`,
};
