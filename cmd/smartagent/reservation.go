package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"ssm/satellite/agent"
)

const authorizationLimit = 1 << 20 // bytes of an authorization file

func (p *program) reservation() *cobra.Command {
	return group("reservation", "Licenses without talking: ask, install, cancel, return",
		p.requestReservation(), p.installReservation(), p.cancelReservation(), p.returnReservation())
}

// qrFlag lets a command draw the code that it shows.
func qrFlag(c *cobra.Command, draw *bool) *cobra.Command {
	c.Flags().BoolVar(draw, "qr", false, "draw the code as a QR code, too")
	return c
}

// withQR is the text, with the drawn code below it where that is wanted.
func withQR(text, code string, draw bool) (string, error) {
	if !draw {
		return text, nil
	}
	drawn, err := agent.QRCode(code)
	return text + "\n\n" + drawn, err
}

func (p *program) requestReservation() *cobra.Command {
	var draw bool
	return qrFlag(&cobra.Command{
		Use: "request [universal|factory]", Short: "Show the request code; the same one until it is canceled or answered",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 || len(args) == 1 && args[0] != "universal" && args[0] != "factory" {
				return errors.New("usage: license smart reservation request [universal|factory]")
			}
			return nil
		},
		RunE: p.work(func(_ context.Context, device *agent.Agent, args []string) (string, error) {
			kind := agent.ReservationSpecific
			if len(args) == 1 {
				kind = map[string]agent.ReservationKind{"universal": agent.ReservationUniversal, "factory": agent.ReservationFactory}[args[0]]
			}
			code, err := device.RequestReservation(kind)
			if err != nil {
				return "", err
			}
			return withQR("Enter this request code on the satellite, and install the authorization that it gives:\n"+code, code, draw)
		}),
	}, &draw)
}

func (p *program) installReservation() *cobra.Command {
	return &cobra.Command{
		Use: "install FILE-OR-CODE", Short: "Install the authorization of the satellite: a file, or the code itself",
		Args: cobra.ExactArgs(1),
		RunE: p.work(func(_ context.Context, device *agent.Agent, args []string) (string, error) {
			text, err := fileOrCode(args[0])
			if err != nil {
				return "", err
			}
			update := device.State().Reservation.Installed()
			confirmation, err := device.InstallReservation(text)
			if err != nil {
				return "", err
			}
			if !update {
				return "The reservation is installed.\nConfirmation code, where the satellite asks for it: " + confirmation, nil
			}
			return "The reservation is updated. Enter this confirmation code on the satellite:\n" + confirmation, nil
		}),
	}
}

// fileOrCode reads the file of that name, or takes what is no file for the code itself.
func fileOrCode(argument string) (string, error) {
	file, err := os.Open(argument)
	if err != nil {
		return argument, nil
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, authorizationLimit+1))
	if err == nil && len(text) > authorizationLimit {
		err = fmt.Errorf("%s is longer than %d bytes; nothing was installed: give the file that the satellite wrote", argument, authorizationLimit)
	}
	return string(text), err
}

func (p *program) cancelReservation() *cobra.Command {
	return &cobra.Command{
		Use: "cancel", Short: "Forget the request; an authorization that was made for it can not be installed any more", Args: cobra.NoArgs,
		RunE: p.work(func(_ context.Context, device *agent.Agent, _ []string) (string, error) {
			if err := device.CancelReservation(); err != nil {
				return "", err
			}
			return "The request is canceled.", nil
		}),
	}
}

func (p *program) returnReservation() *cobra.Command {
	var draw bool
	return qrFlag(&cobra.Command{
		Use: "return", Short: "Give the reservation up, and show the return code; again, the same code", Args: cobra.NoArgs,
		RunE: p.work(func(_ context.Context, device *agent.Agent, _ []string) (string, error) {
			code, err := device.ReturnReservation()
			if err != nil {
				return "", err
			}
			return withQR("This device has given its reservation up. Enter this return code on the satellite:\n"+code, code, draw)
		}),
	}, &draw)
}

// showReservation tells what is reserved; nothing where there never was a reservation.
func showReservation(w io.Writer, s agent.State) {
	r := s.Reservation
	if !r.Installed() && !r.InProgress() && r.ReturnCode == "" {
		return
	}
	state := "DISABLED"
	if r.Installed() || r.InProgress() {
		state = "ENABLED"
	}
	fmt.Fprintf(w, "License Reservation is %s\n", state)
	switch {
	case r.Installed():
		fmt.Fprintf(w, "  Reservation status: %s INSTALLED on %s\n", shout(string(r.Kind)), stamp(r.InstalledAt))
		fmt.Fprintf(w, "  Confirmation code: %s\n", r.ConfirmationCode)
		for _, l := range r.Licenses {
			switch {
			case l.End.IsZero():
			case l.Mode == agent.ModeReserved:
				fmt.Fprintf(w, "  %s, count %d: ends on %s\n", nameOf(l.License), l.Count, stamp(l.End))
			default:
				fmt.Fprintf(w, "  %s, count %d: EXPIRED on %s\n", nameOf(l.License), l.Count, stamp(l.End))
			}
		}
	case r.InProgress():
		fmt.Fprintf(w, "  Reservation status: %s REQUESTED on %s\n", shout(string(r.Kind)), stamp(r.RequestedAt))
		fmt.Fprintf(w, "  Request code: %s\n", r.RequestCode)
	}
	if r.ReturnCode != "" {
		fmt.Fprintf(w, "  Last return code: %s on %s\n", r.ReturnCode, stamp(r.ReturnedAt))
	}
	fmt.Fprintln(w)
}

// inUse says what a device without a list of licenses uses.
func inUse(s agent.State) string {
	if s.Reservation.Installed() {
		return "All licenses are reserved"
	}
	return "No licenses in use"
}
