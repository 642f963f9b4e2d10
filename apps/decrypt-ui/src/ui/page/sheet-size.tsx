import { Maximize2, Minimize2 } from 'lucide-react';
import { Button } from '../controls/button.tsx';
import { DEFAULT_SHEET, setSheetShare, useSheetShare } from '../preferences/sheet-height.ts';
import { SHEET_BELOW, useNarrowerThan } from '../preferences/window-size.ts';

/** A button that enlarges the sheet to the whole page, or reduces it. Renders nothing where there is no sheet. */
export function SheetSize({ of }: { of: string }) {
  const sheet = useNarrowerThan(SHEET_BELOW);
  const full = useSheetShare() === 1;
  if (!sheet) return null;
  return (
    <Button
      look="ghost"
      size="small"
      icon
      aria-label={`${full ? 'Reduce' : 'Enlarge'} ${of}`}
      onClick={() => setSheetShare(full ? DEFAULT_SHEET : 1)}
    >
      {full ? <Minimize2 size={14} /> : <Maximize2 size={14} />}
    </Button>
  );
}
