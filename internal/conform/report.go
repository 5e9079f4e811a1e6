package conform

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// shownFailures is how many failures of one situation a table shows.
const shownFailures = 10

// Table writes what held and what did not, for people.
func Table(w io.Writer, results []Result) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "RESULT\tSITUATION\tSCENARIOS\tORDERS\tNAME")
	held := 0
	for _, r := range results {
		word := "FAILED"
		if r.Held {
			word = "held"
			held++
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\n", word, r.Key, strings.Trim(fmt.Sprint(r.Scenarios), "[]"), r.Orders, r.Name)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, r := range results {
		for i, f := range r.Failures {
			if i == shownFailures {
				fmt.Fprintf(w, "%s: and %d more\n", r.File, len(r.Failures)-i)
				break
			}
			if i == 0 {
				fmt.Fprintln(w)
			}
			fmt.Fprintln(w, f)
		}
	}
	_, err := fmt.Fprintf(w, "\n%d held, %d did not.\n", held, len(results)-held)
	return err
}

// JSON writes the same for programs.
func JSON(w io.Writer, results []Result) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(results)
}
