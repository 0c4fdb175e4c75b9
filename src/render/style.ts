/** How kinds of text look; a terminal's are colours, plain text's are nothing. */
export interface Style {
  /** Section headings. */
  heading(text: string): string;
  /** Field names. */
  name(text: string): string;
  /** Offsets, types, remarks. */
  faint(text: string): string;
  /** Values. */
  value(text: string): string;
  error(text: string): string;
  warning(text: string): string;
}

const same = (text: string): string => text;

export const plainStyle: Style = {
  heading: same,
  name: same,
  faint: same,
  value: same,
  error: same,
  warning: same,
};

export interface TextOptions {
  readonly style: Style;
  /** Columns to wrap at. */
  readonly width: number;
}

/** What texts are without options: plain, for a file or pipe. */
export const plainText: TextOptions = { style: plainStyle, width: 100 };
