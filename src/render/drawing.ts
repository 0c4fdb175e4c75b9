/** A picture as data: filled rectangles and lines of text on white, in pixels from the upper left corner. */
export interface Drawing {
  readonly width: number;
  readonly height: number;
  /** What it shows, in one line. */
  readonly title: string;
  /** `#rrggbb`, fewer than 256. */
  readonly colours: readonly string[];
  /** Painted in this order. */
  readonly rectangles: readonly Rectangle[];
  readonly texts: readonly Text[];
}

export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Index into `colours`. */
  readonly colour: number;
}

/** Black, in a font of fixed width; each character takes 6 by 8 pixels. */
export interface Text {
  readonly x: number;
  /** Of the upper edge. */
  readonly y: number;
  readonly text: string;
}

export const CHARACTER_WIDTH = 6;
export const CHARACTER_HEIGHT = 8;
