//! Deadlines: sets a timer for everything of the organization module that ends by itself.

use domain::{
    kernel::DomainEvent,
    organization::{
        InvitationId, OrganizationId, RoleAssignmentId, invitation::InvitationEvent,
        organization::OrganizationEvent, role_assignment::RoleAssignmentEvent,
    },
};
use eventstore::{Opened, decode};

use super::{Fault, Memory, Policy, Step, timers::Later};

/// Sets timers for invitations, roles given for a while, and trials.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines;

impl Policy for Deadlines {
    const NAME: &'static str = "policy.deadlines";

    fn wants(&self, category: &str) -> bool {
        [InvitationEvent::CATEGORY, RoleAssignmentEvent::CATEGORY, OrganizationEvent::CATEGORY]
            .contains(&category)
    }

    async fn react(&self, event: &Opened, memory: &mut Memory<'_>) -> Result<Vec<Step>, Fault> {
        match &*event.envelope.category {
            InvitationEvent::CATEGORY => of_invitation(event, memory)?,
            RoleAssignmentEvent::CATEGORY => of_role(event, memory)?,
            _ => of_organization(event, memory)?,
        }
        Ok(Vec::new())
    }
}

fn of_invitation(event: &Opened, memory: &mut Memory<'_>) -> Result<(), Fault> {
    use InvitationEvent as E;
    let invitation_id = InvitationId::from_uuid(event.envelope.stream);
    let later = Later::ExpireInvitation { invitation_id };
    match decode::<E>(event)?.event {
        E::Invited { expires_at, .. } | E::Resent { expires_at, .. } => {
            memory.set(later.at(expires_at)?);
        }
        E::Accepted { .. } | E::Declined { .. } | E::Revoked { .. } | E::Expired { .. } => {
            cancel(later, memory);
        }
    }
    Ok(())
}

fn of_role(event: &Opened, memory: &mut Memory<'_>) -> Result<(), Fault> {
    use RoleAssignmentEvent as E;
    let role_assignment_id = RoleAssignmentId::from_uuid(event.envelope.stream);
    let later = Later::ExpireRole { role_assignment_id };
    match decode::<E>(event)?.event {
        E::Assigned { expires_at: Some(expires_at), .. } => memory.set(later.at(expires_at)?),
        E::Assigned { expires_at: None, .. } => {}
        E::Revoked { .. } | E::Expired { .. } => cancel(later, memory),
    }
    Ok(())
}

fn of_organization(event: &Opened, memory: &mut Memory<'_>) -> Result<(), Fault> {
    use OrganizationEvent as E;
    let organization_id = OrganizationId::from_uuid(event.envelope.stream);
    let later = Later::EndTrial { organization_id };
    match decode::<E>(event)?.event {
        E::TrialStarted { ends_at } | E::TrialExtended { ends_at } => {
            memory.set(later.at(ends_at)?)
        }
        // A trial goes on that did not run out while the organization was closed.
        E::Restored { trial_ends_at: Some(ends_at), .. } => memory.set(later.at(ends_at)?),
        E::Activated { .. } | E::Frozen { .. } | E::Archived { .. } | E::Purged { .. } => {
            cancel(later, memory);
        }
        E::Created { .. }
        | E::Renamed { .. }
        | E::SlugChanged { .. }
        | E::Unfrozen { .. }
        | E::Restored { trial_ends_at: None, .. }
        | E::OwnerAdded { .. }
        | E::OwnerRemoved { .. }
        | E::ContractUpdated { .. }
        | E::PlanLabelSet { .. }
        | E::ExternalRefSet { .. }
        | E::SettingsUpdated { .. } => {}
    }
    Ok(())
}

fn cancel(later: Later, memory: &mut Memory<'_>) {
    let (process, key) = later.place();
    memory.cancel(process, key);
}
