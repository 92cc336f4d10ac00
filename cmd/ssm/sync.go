package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"ssm/sync/ssm"
)

// answerResult is what was answered, and where the response is.
type answerResult struct {
	ssm.Answer
	File string `json:"file"`
}

func (a *app) syncAnswer() *cobra.Command {
	var options ssm.AnswerOptions
	var out string
	c := &cobra.Command{Use: "answer REQUEST --out RESPONSE", Short: "Answer the request file of a satellite by a response file", Args: cobra.ExactArgs(1),
		Long: "Answer the request file of a satellite by a response file.\n" +
			"The first request of a satellite's account binds it to the smart account and virtual account that it names:\n" +
			"who runs this command vouches for it. The same request gets the same response again.",
		RunE: a.action(func(ctx context.Context, u *ssm.Upstream, args []string) error {
			answer, err := u.AnswerFile(ctx, args[0], out, options)
			if err != nil {
				return err
			}
			return a.print(answerResult{answer, out}, func(w io.Writer) { tell(w, answer, out) })
		})}
	c.Flags().StringVar(&out, "out", "", "response file to write")
	c.Flags().StringVar(&options.Account, "account", "", "smart account to register with, instead of the one that the request names")
	c.Flags().StringVar(&options.VirtualAccount, "virtual-account", "", "virtual account to register with, instead of the one that the request names")
	return need(c, "out")
}

// tell says what the answer means.
func tell(w io.Writer, answer ssm.Answer, out string) {
	fmt.Fprintf(w, "Request %d of satellite %s (account %q) settles with %q / %q.\n",
		answer.Sequence, answer.SatelliteID, answer.LocalAccount, answer.Account, answer.VirtualAccount)
	switch {
	case answer.Repeated:
		fmt.Fprintln(w, "It was answered before: this is the same response again.")
	case answer.FullRequested:
		fmt.Fprintf(w, "Nothing of it was kept: %s. The response asks for a full request.\n", answer.Reason)
	case answer.Registered:
		fmt.Fprintln(w, "Its account was registered.")
	}
	switch answer.Upgrade {
	case "pending":
		fmt.Fprintln(w, "It asks to become a standard account: `ssm approval list` shows the request, which waits for you.")
	case "approved", "declined":
		fmt.Fprintf(w, "Its request to become a standard account was %s.\n", answer.Upgrade)
	}
	fmt.Fprintf(w, "Carry %s to the satellite.\n", out)
}

func (a *app) syncInspect() *cobra.Command {
	return &cobra.Command{Use: "inspect FILE", Short: "Say what is in a sync file, and who signed it", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			a.started = true
			summary, err := ssm.Inspect(args[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.print(summary, nil)
			}
			return summary.Text(a.stdout)
		}}
}
