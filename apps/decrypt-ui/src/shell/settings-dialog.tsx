import { version } from '../../package.json';
import { firstKey } from '../ui/commands/commands.ts';
import { Segmented } from '../ui/controls/segmented.tsx';
import { Dialog } from '../ui/overlays/dialog.tsx';
import { type Preferences, setPreferences, usePreferences } from '../ui/preferences/preferences.ts';
import styles from './settings-dialog.module.css';
import { ZoneField } from './zone-field.tsx';

interface Option<T extends string> {
  readonly value: T;
  readonly text: string;
}

const themes: readonly Option<Preferences['theme']>[] = [
  { value: 'system', text: 'System' },
  { value: 'dark', text: 'Dark' },
  { value: 'light', text: 'Light' },
];
const densities: readonly Option<Preferences['density']>[] = [
  { value: 'compact', text: 'Compact' },
  { value: 'default', text: 'Default' },
  { value: 'comfortable', text: 'Comfortable' },
];
const clocks: readonly Option<Preferences['clock']>[] = [
  { value: '24', text: '24 hours' },
  { value: '12', text: '12 hours' },
];
const times: readonly Option<Preferences['times']>[] = [
  { value: 'absolute', text: 'Date and time' },
  { value: 'relative', text: 'Time since' },
];
const keys: readonly Option<'on' | 'off'>[] = [
  { value: 'on', text: 'On' },
  { value: 'off', text: 'Off' },
];

/** The user's choices about how the page looks and which keys it handles. */
export function SettingsDialog({ onClose }: { readonly onClose: () => void }) {
  const { theme, density, clock, times: shown, characterKeys } = usePreferences();
  return (
    <Dialog title="Settings" open onOpenChange={(open) => !open && onClose()}>
      <dl className={styles['settings']}>
        <Setting name="Theme">
          <Choice name="Theme" value={theme} options={themes} onChange={(next) => ({ theme: next })} />
        </Setting>
        <Setting name="Rows">
          <Choice name="Rows" value={density} options={densities} onChange={(next) => ({ density: next })} />
        </Setting>
        <Setting name="Time zone">
          <ZoneField />
        </Setting>
        <Setting name="Clock">
          <Choice name="Clock" value={clock} options={clocks} onChange={(next) => ({ clock: next })} />
        </Setting>
        <Setting name="Times in lists" note="The tooltip always shows the exact time.">
          <Choice
            name="Times in lists"
            value={shown}
            options={times}
            onChange={(next) => ({ times: next })}
          />
        </Setting>
        <Setting
          name="Character keys"
          note={`Letters, digits and symbols run commands. Switch them off if you dictate. ${firstKey('palette')}, arrow keys, Enter, Space and Escape always work.`}
        >
          <Choice
            name="Character keys"
            value={characterKeys ? 'on' : 'off'}
            options={keys}
            onChange={(next) => ({ characterKeys: next === 'on' })}
          />
        </Setting>
      </dl>
      <p className={styles['note']}>This browser keeps the settings. They contain no workflow data.</p>
      <p className={styles['note']}>temporal-kms {version}</p>
    </Dialog>
  );
}

interface SettingProps {
  readonly name: string;
  readonly note?: string;
  readonly children: React.ReactNode;
}

function Setting({ name, note, children }: SettingProps) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {children}
        {note === undefined ? null : <p className={styles['note']}>{note}</p>}
      </dd>
    </div>
  );
}

interface ChoiceProps<T extends string> {
  readonly name: string;
  readonly value: T;
  readonly options: readonly Option<T>[];
  /** Returns the preferences to change when the user chooses a value. */
  readonly onChange: (value: T) => Partial<Preferences>;
}

function Choice<T extends string>({ name, value, options, onChange }: ChoiceProps<T>) {
  return (
    <Segmented
      label={name}
      className={styles['segmented']}
      value={value}
      options={options}
      onChange={(next) => setPreferences(onChange(next))}
    />
  );
}
