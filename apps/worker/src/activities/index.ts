// What the worker registers: every exported function is an activity type.
export { waitForApprover, withdrawRequest } from './approvals.ts';
export { handOver, locateCourier } from './couriers.ts';
export { authorizeCard, awardPoints, chargeCard, priceOrder, transferFunds } from './payments.ts';
export { countShelf, packByHand, packByRobot, reserveStock } from './stock.ts';
export type { Handover } from './couriers.ts';
export type { OrderItem } from './stock.ts';
