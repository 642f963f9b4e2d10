import { type Client, ScheduleAlreadyRunning } from '@temporalio/client';
import { dailyReport } from '../workflows/daily-report.ts';

export const SCHEDULE_ID = 'report-every-morning';

/**
 * Creates the sample schedule, which starts a workflow on weekday mornings. Returns whether the schedule is
 * new.
 */
export async function seedSchedule({ schedule }: Client, taskQueue: string): Promise<boolean> {
  try {
    await schedule.create({
      scheduleId: SCHEDULE_ID,
      spec: {
        calendars: [{ hour: 6, minute: 30, dayOfWeek: { start: 'MONDAY', end: 'FRIDAY' } }],
        timezone: 'Europe/Stockholm',
      },
      action: {
        type: 'startWorkflow',
        workflowType: dailyReport,
        workflowId: 'daily-report',
        taskQueue,
        args: [{ shop: 'Northgate' }],
        memo: { reader: 'Sanna Ek' },
      },
      state: { note: 'The shop opens at seven' },
    });
    return true;
  } catch (error) {
    if (error instanceof ScheduleAlreadyRunning) return false;
    throw error;
  }
}
