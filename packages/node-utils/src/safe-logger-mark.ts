/** Marks loggers from `createSafeLogger`, including loggers from another copy of this module. */
export const safeLoggerMark: unique symbol = Symbol.for('temporal-kms.safeLogger');
