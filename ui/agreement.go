package ui

import "strings"

// agreementPage is the licensing agreement of the chosen account, in a window of its own.
type agreementPage struct {
	Version    string
	Note       string
	Accepted   string     // by whom and when; "" where nobody did
	Paragraphs [][]string // lines
}

func showAgreement(r *request) error {
	if r.account.ID == 0 {
		return r.noAccount(r.t("agreement.title"))
	}
	agreement, err := r.Service.Agreement(r.context(), r.actor, r.account.ID)
	if err != nil {
		return err
	}
	page := agreementPage{Version: agreement.Current.Version, Note: r.account.Name, Paragraphs: paragraphs(agreement.Current.Text)}
	if page.Version != "" {
		page.Note = r.t("agreement.version", "Version", page.Version, "Name", r.account.Name)
	}
	for _, acceptance := range agreement.History {
		if acceptance.Version == page.Version {
			page.Accepted = r.t("agreement.accepted", "Who", acceptance.AcceptedBy, "Date", r.words.dateTime(acceptance.AcceptedAt))
		}
	}
	return r.show("agreement", r.t("agreement.title"), page)
}

// paragraphs takes a text apart at its empty lines.
func paragraphs(text string) (list [][]string) {
	for block := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n") {
		if block = strings.Trim(block, "\n"); block != "" {
			list = append(list, strings.Split(block, "\n"))
		}
	}
	return list
}
