package main

import (
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
	"ssm/satellite/wire"
)

func newReservationCommand() *cobra.Command {
	c := &cobra.Command{Use: "reservation", Short: "Reserve licenses for devices that never talk"}
	c.AddCommand(newReservationRequestInfoCommand(), newReservationCreateCommand(), newReservationListCommand(), newReservationShowCommand(),
		newReservationUpdateCommand(), newReservationConfirmCommand(), newReservationReturnCommand())
	return c
}

func newReservationRequestInfoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "request-info CODE",
		Short: "Tell what the request code of a device says",
		Args:  takes("CODE"),
		RunE: func(c *cobra.Command, args []string) error {
			var p adminapi.ReservationPreview
			if err := connect(c).post(c.Context(), resource("reservation-previews"), adminapi.ReservationCode{Code: args[0]}, &p); err != nil {
				return err
			}
			return printRecord(c, p, line{"Product id", p.UDIPID}, line{"Serial number", p.UDISerialNumber}, line{"Asks for", p.Type})
		},
	}
}

func newReservationCreateCommand() *cobra.Command {
	c := accountFlag(&cobra.Command{
		Use:   "create --code CODE [--license TAG=N ...]",
		Short: "Reserve licenses, and print the authorization that is to be installed on the device",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			licenses, err := licensesOf(c)
			if err != nil {
				return err
			}
			in := adminapi.NewReservation{
				Account: text(c, "account"), VirtualAccount: text(c, "virtual-account"), Code: text(c, "code"), Type: text(c, "type"), Licenses: licenses,
			}
			var r adminapi.Reservation
			if err := connect(c).post(c.Context(), resource("reservations"), in, &r); err != nil {
				return err
			}
			say(c, "Reservation %d is made for device %s, serial number %s. Install the authorization there: `license smart reservation install FILE`.", r.ID, r.UDIPID, r.UDISerialNumber)
			return handOut(c, r, r.Authorization)
		},
	})
	c.Flags().String("code", "", "request code of the device (required)")
	c.Flags().String("virtual-account", "", "whose licenses to reserve (default: the default virtual account)")
	c.Flags().String("type", "", "specific, universal or factory (default: what the code asks for)")
	licenseFlags(c)
	require(c, "code")
	return c
}

// licenseFlags add what is to be reserved, and where the authorization goes.
func licenseFlags(c *cobra.Command) {
	c.Flags().StringArray("license", nil, "TAG=N: reserve N licenses of TAG; may stand several times")
	c.Flags().String("out", "", "write the authorization to this file instead of standard output")
}

// licensesOf reads --license. A tag may hold an equals sign: the count stands behind the last one.
func licensesOf(c *cobra.Command) ([]adminapi.ReservedLicense, error) {
	values, err := c.Flags().GetStringArray("license")
	if err != nil {
		return nil, err
	}
	var licenses []adminapi.ReservedLicense
	for _, value := range values {
		i := strings.LastIndexByte(value, '=')
		count, err := strconv.ParseInt(value[i+1:], 10, 64)
		if i < 1 || err != nil || count < 1 {
			return nil, wrongUsage("--license is TAG=N with a number from 1, not %q", value)
		}
		licenses = append(licenses, adminapi.ReservedLicense{Tag: value[:i], Count: count})
	}
	return licenses, nil
}

// handOut prints an authorization, or writes it to --out.
func handOut(c *cobra.Command, r adminapi.Reservation, a adminapi.ReservationAuthorization) error {
	if name := text(c, "out"); name != "" {
		if err := os.WriteFile(name, []byte(a.Text+"\n"), 0o600); err != nil {
			return message(fmt.Sprintf("The authorization could not be written (%v). The reservation stands: `satellite reservation show %d --out FILE` gives it again.", err, r.ID))
		}
		say(c, "The authorization is in %s.", name)
	}
	if yes(c, "json") {
		return writeJSON(c.OutOrStdout(), r)
	}
	if text(c, "out") != "" {
		return nil
	}
	_, err := fmt.Fprintln(c.OutOrStdout(), a.Text)
	return err
}

func newReservationListCommand() *cobra.Command {
	c := accountFlag(&cobra.Command{
		Use:   "list",
		Short: "List reservations, newest first, returned ones included",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			parameters := url.Values{"account": {text(c, "account")}, "virtual_account": {text(c, "virtual-account")}}
			return printList(c, pages[adminapi.Reservation](c.Context(), connect(c), resource("reservations"), parameters),
				column[adminapi.Reservation]{"ID", func(r adminapi.Reservation) any { return r.ID }},
				column[adminapi.Reservation]{"PRODUCT", func(r adminapi.Reservation) any { return r.UDIPID }},
				column[adminapi.Reservation]{"SERIAL", func(r adminapi.Reservation) any { return r.UDISerialNumber }},
				column[adminapi.Reservation]{"VIRTUAL ACCOUNT", func(r adminapi.Reservation) any { return r.VirtualAccount }},
				column[adminapi.Reservation]{"TYPE", func(r adminapi.Reservation) any { return r.Type }},
				column[adminapi.Reservation]{"STATE", func(r adminapi.Reservation) any { return r.State }},
				column[adminapi.Reservation]{"SINCE", func(r adminapi.Reservation) any { return r.CreatedAt }},
				column[adminapi.Reservation]{"RETURNED", func(r adminapi.Reservation) any { return r.ReturnedAt }})
		},
	})
	c.Flags().Lookup("account").Usage = "only of this account"
	c.Flags().String("virtual-account", "", "only of this virtual account")
	return c
}

func newReservationShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "show ID",
		Short: "Show a reservation; with --out or --qr, what is to be installed next",
		Args:  takes("ID"),
		RunE: func(c *cobra.Command, args []string) error {
			var r adminapi.Reservation
			if err := connect(c).get(c.Context(), resource("reservations", args[0]), &r); err != nil {
				return err
			}
			a := r.Authorization
			if r.Update != nil {
				a = *r.Update
			}
			switch {
			case text(c, "out") != "":
				return handOut(c, r, a)
			case yes(c, "qr"):
				return printQR(c, a.Text)
			}
			return printReservation(c, r)
		},
	}
	c.Flags().String("out", "", "write the authorization to this file")
	c.Flags().Bool("qr", false, "print the authorization as QR codes; a long one takes several, read one after the other")
	return c
}

func printQR(c *cobra.Command, code string) error {
	parts := wire.QRParts(code)
	for i, part := range parts {
		blocks, err := wire.CodeBlocks(part)
		if err != nil {
			return err
		}
		if len(parts) > 1 {
			say(c, "QR code %d of %d:", i+1, len(parts))
		}
		if _, err := fmt.Fprint(c.OutOrStdout(), blocks); err != nil {
			return err
		}
	}
	return nil
}

func printReservation(c *cobra.Command, r adminapi.Reservation) error {
	fields := []line{
		{"Reservation", r.ID}, {"Product id", r.UDIPID}, {"Serial number", r.UDISerialNumber}, {"PIID", r.PIID}, {"Account", r.Account}, {"Virtual account", r.VirtualAccount},
		{"Type", r.Type}, {"State", r.State}, {"Made", r.CreatedAt}, {"Made by", r.CreatedBy}, {"Confirmed", r.ConfirmedAt}, {"Returned", r.ReturnedAt},
	}
	fields = append(fields, reservedLines("Licenses", r.Authorization)...)
	fields = append(fields, line{"Authorization", r.Authorization.Text})
	if r.Update != nil {
		fields = append(fields, reservedLines("Update", *r.Update)...)
		fields = append(fields, line{"Update authorization", r.Update.Text})
	}
	return printRecord(c, r, fields...)
}

func reservedLines(name string, a adminapi.ReservationAuthorization) (lines []line) {
	for _, l := range a.Licenses {
		lines = append(lines, line{name, fmt.Sprintf("%d of %s (%s), until %s", l.Count, l.Tag, l.Name, cell(l.End))})
	}
	if len(lines) == 0 {
		lines = append(lines, line{name, "everything"})
	}
	return lines
}

func newReservationUpdateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "update ID --license TAG=N ...",
		Short: "Change what is reserved to all of the named licenses, and print the new authorization",
		Args:  takes("ID"),
		RunE: func(c *cobra.Command, args []string) error {
			licenses, err := licensesOf(c)
			if err != nil {
				return err
			}
			var r adminapi.Reservation
			in := map[string]any{"licenses": append([]adminapi.ReservedLicense{}, licenses...)}
			if err := connect(c).post(c.Context(), resource("reservations", args[0], "updates"), in, &r); err != nil {
				return err
			}
			say(c, "Install the new authorization on device %s, serial number %s, and enter the confirmation code that it shows: `satellite reservation confirm %d CODE`.", r.UDIPID, r.UDISerialNumber, r.ID)
			if r.Update == nil {
				return printReservation(c, r)
			}
			return handOut(c, r, *r.Update)
		},
	}
	licenseFlags(c)
	return c
}

func newReservationConfirmCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "confirm ID CODE",
		Short: "Enter the confirmation code that the device showed when the update was installed",
		Args:  takes("ID", "CODE"),
		RunE: func(c *cobra.Command, args []string) error {
			var r adminapi.Reservation
			if err := connect(c).post(c.Context(), resource("reservations", args[0], "confirmation"), adminapi.ReservationCode{Code: args[1]}, &r); err != nil {
				return err
			}
			say(c, "Reservation %d of device %s, serial number %s is confirmed.", r.ID, r.UDIPID, r.UDISerialNumber)
			return printReservation(c, r)
		},
	}
}

func newReservationReturnCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "return (ID | --pid PID --serial SERIAL) CODE",
		Short: "Enter the return code that the device shows; only then the licenses go back to the pool",
		RunE: func(c *cobra.Command, args []string) error {
			var r adminapi.Reservation
			code := adminapi.ReservationCode{Code: args[len(args)-1]}
			path, in := resource("reservation-returns"), any(adminapi.ReservationReturn{UDIPID: text(c, "pid"), UDISerialNumber: text(c, "serial"), ReservationCode: code})
			if len(args) == 2 {
				path, in = resource("reservations", args[0], "return"), code
			}
			if err := connect(c).post(c.Context(), path, in, &r); err != nil {
				return err
			}
			say(c, "Reservation %d of device %s, serial number %s is returned; its licenses are in the pool again.", r.ID, r.UDIPID, r.UDISerialNumber)
			return printReservation(c, r)
		},
	}
	c.Flags().String("pid", "", "product id, with --serial instead of ID")
	c.Flags().String("serial", "", "serial number, with --pid instead of ID")
	c.Args = func(c *cobra.Command, args []string) error {
		byUDI := text(c, "pid") != "" && text(c, "serial") != ""
		if byUDI && len(args) == 1 || len(args) == 2 && text(c, "pid")+text(c, "serial") == "" {
			return nil
		}
		return wrongUsage("name the reservation by its ID, or by both --pid and --serial, and then the return code")
	}
	return c
}
