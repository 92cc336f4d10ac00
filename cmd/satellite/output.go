package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// Results go to standard output: as tables for people, or with --json as one
// document. Messages go to standard error.

// writeJSON writes one JSON document.
func writeJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// say writes a message for people.
func say(c *cobra.Command, format string, args ...any) {
	fmt.Fprintln(c.ErrOrStderr(), printable(fmt.Sprintf(format, args...)))
}

// line is one line of a record.
type line struct {
	name  string
	value any
}

// printRecord writes one object: as JSON, or the fields for people.
func printRecord(c *cobra.Command, record any, fields ...line) error {
	if yes(c, "json") {
		return writeJSON(c.OutOrStdout(), record)
	}
	table := newTable(c.OutOrStdout())
	for _, f := range fields {
		fmt.Fprintf(table, "%s\t%s\n", f.name, cell(f.value))
	}
	return table.Flush()
}

// column is one column of a table.
type column[T any] struct {
	title string
	value func(T) any
}

// printList writes a listing page by page, so that a long one needs no memory.
func printList[T any](c *cobra.Command, pages iter.Seq2[[]T, error], columns ...column[T]) error {
	if yes(c, "json") {
		return printArray(c.OutOrStdout(), pages)
	}
	table := newTable(c.OutOrStdout())
	titles := make([]string, len(columns))
	for i, column := range columns {
		titles[i] = column.title
	}
	fmt.Fprintln(table, strings.Join(titles, "\t"))
	for page, err := range pages {
		if err != nil {
			return err
		}
		for _, row := range page {
			cells := make([]string, len(columns))
			for i, column := range columns {
				cells[i] = cell(column.value(row))
			}
			fmt.Fprintln(table, strings.Join(cells, "\t"))
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// printArray writes the rows of all pages as one JSON array. Where the first
// page fails, nothing is written.
func printArray[T any](w io.Writer, pages iter.Seq2[[]T, error]) error {
	separator := "[\n"
	var text bytes.Buffer
	for page, err := range pages {
		if err != nil {
			return err
		}
		for _, row := range page {
			text.WriteString(separator)
			separator = ",\n"
			encoded, err := json.Marshal(row)
			if err != nil {
				return err
			}
			text.WriteString("  ")
			text.Write(encoded)
		}
		if _, err := text.WriteTo(w); err != nil {
			return err
		}
	}
	end := "\n]\n"
	if separator == "[\n" {
		end = "[]\n"
	}
	_, err := io.WriteString(w, end)
	return err
}

func newTable(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 8, 2, ' ', 0) }

// cell is a value as people read it.
func cell(value any) string {
	switch v := value.(type) {
	case *time.Time:
		if v == nil {
			return "never"
		}
		return cell(*v)
	case time.Time:
		return v.UTC().Format("2006-01-02 15:04 UTC")
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case string:
		if v == "" {
			return "-"
		}
		return printable(v)
	}
	return fmt.Sprint(value)
}

// printable keeps text of others from rewriting a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '?'
		}
		return r
	}, text)
}

// uses is how often a token may be used.
func uses(limit int64) any {
	if limit == 0 {
		return "unlimited"
	}
	return limit
}
