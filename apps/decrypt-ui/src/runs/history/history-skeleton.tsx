import { GridSkeleton } from '../../ui/grid/grid-skeleton.tsx';
import { usePreferences } from '../../ui/preferences/preferences.ts';
import { rowHeight } from '../../ui/preferences/row-height.ts';
import { PHONE_BELOW, useNarrowerThan } from '../../ui/preferences/window-size.ts';
import { OverviewSpace } from '../timeline/overview.tsx';
import { useHistoryColumns } from './history-columns.ts';
import styles from './history-table.module.css';

/** The width of each column's placeholder in the history table, in percent of the column. */
const widths = [90, 78, 62, 80, 80, 0, 60] as const;

/** Placeholders for the rows of the history table. */
export function HistoryRowsSkeleton() {
  const { density } = usePreferences();
  const phone = useNarrowerThan(PHONE_BELOW);
  return <GridSkeleton widths={widths} height={rowHeight(phone, density)} phone={phone} />;
}

/** A placeholder for the history table before anything about the run is known. */
export function HistorySkeleton() {
  const { variables } = useHistoryColumns();
  const phone = useNarrowerThan(PHONE_BELOW);
  return (
    <>
      {phone ? null : <OverviewSpace />}
      <div className={styles['frame']} style={variables} data-digits="3">
        <div className={styles['scroller']}>
          <div className={styles['skeletonHead']} />
          <HistoryRowsSkeleton />
        </div>
      </div>
    </>
  );
}
