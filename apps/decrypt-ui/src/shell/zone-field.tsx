import { Combobox } from '@base-ui/react/combobox';
import { Check, ChevronDown } from 'lucide-react';
import { useState } from 'react';
import { zoneLabel } from '../ui/format/time.ts';
import menu from '../ui/overlays/menu.module.css';
import { setPreferences, usePreferences } from '../ui/preferences/preferences.ts';
import styles from './zone-field.module.css';

/** Maximum number of matches in the list. The user can type more text to narrow the list down. */
const MOST = 60;

const zones: readonly string[] = ['utc', 'local', ...Intl.supportedValuesOf('timeZone')];

/** Current names of zones that browsers list under former names (IANA's file `backward`). */
const renamed: ReadonlyMap<string, string> = new Map([
  ['Africa/Asmera', 'Africa/Asmara'],
  ['America/Buenos_Aires', 'America/Argentina/Buenos_Aires'],
  ['America/Godthab', 'America/Nuuk'],
  ['Asia/Calcutta', 'Asia/Kolkata'],
  ['Asia/Katmandu', 'Asia/Kathmandu'],
  ['Asia/Rangoon', 'Asia/Yangon'],
  ['Asia/Saigon', 'Asia/Ho_Chi_Minh'],
  ['Atlantic/Faeroe', 'Atlantic/Faroe'],
  ['Europe/Kiev', 'Europe/Kyiv'],
  ['Pacific/Enderbury', 'Pacific/Kanton'],
  ['Pacific/Ponape', 'Pacific/Pohnpei'],
  ['Pacific/Truk', 'Pacific/Chuuk'],
]);

/** Returns the name of a time zone: `UTC`, `This browser (Europe/Berlin)`, `America/New York`. */
function zoneText(zone: string): string {
  if (zone === 'utc') return 'UTC';
  const name = zone === 'local' ? Intl.DateTimeFormat().resolvedOptions().timeZone : zone;
  const text = (renamed.get(name) ?? name).replaceAll('_', ' ');
  return zone === 'local' ? `This browser (${text})` : text;
}

/** Returns whether a time zone's name or offset contains every word of the query: `berlin`, `new y`, `+5:30`. */
function matches(zone: string, query: string): boolean {
  const text = `${zoneText(zone)} ${zone} ${zoneLabel(zone)}`.toLowerCase();
  return query
    .toLowerCase()
    .split(/[\s_]+/)
    .every((word) => text.includes(word));
}

/** A field that finds a time zone by a part of its name or by its offset from UTC. */
export function ZoneField() {
  const { zone } = usePreferences();
  const [open, setOpen] = useState(false);
  return (
    <Combobox.Root
      items={zones}
      open={open}
      onOpenChange={setOpen}
      value={zone}
      onValueChange={(next) => next !== null && setPreferences({ zone: next })}
      itemToStringLabel={zoneText}
      filter={matches}
      limit={MOST}
      autoHighlight
    >
      <div className={styles['field']}>
        <Combobox.Input
          aria-label="Time zone"
          spellCheck={false}
          className={styles['input'] ?? ''}
          onKeyDown={(event) => {
            // While the list is closed, Escape must close the dialog, not clear the field.
            if (event.key === 'Escape' && !open) event.preventBaseUIHandler();
          }}
        />
        <Combobox.Trigger aria-label="Show time zones" className={styles['trigger'] ?? ''}>
          <ChevronDown size={14} />
        </Combobox.Trigger>
      </div>
      <Combobox.Portal>
        <Combobox.Positioner sideOffset={4} className={styles['positioner'] ?? ''}>
          <Combobox.Popup className={menu['popup'] ?? ''}>
            <Combobox.Empty className={styles['empty'] ?? ''}>No time zone has this name.</Combobox.Empty>
            <Combobox.List className={styles['list'] ?? ''}>
              {(item: string) => (
                <Combobox.Item key={item} value={item} className={menu['item'] ?? ''}>
                  <span className={menu['mark']}>
                    <Combobox.ItemIndicator>
                      <Check size={14} />
                    </Combobox.ItemIndicator>
                  </span>
                  <span className="ellipsis">{zoneText(item)}</span>
                  <span className={menu['note']}>{zoneLabel(item)}</span>
                </Combobox.Item>
              )}
            </Combobox.List>
          </Combobox.Popup>
        </Combobox.Positioner>
      </Combobox.Portal>
    </Combobox.Root>
  );
}
