# METADATA
# title: Purpose alignment
# description: The purpose of the request is one that the actor holds.
package ig.purpose

violation contains "purpose-not-granted" if not granted

granted if input.purpose in input.actor.purposes
