/** Marks loggers from `createSafeLogger`, also those from another copy of this module. */
export const safeLoggerMark: unique symbol = Symbol.for('temporal-kms.safeLogger');
